"""The REST interface: answers, weights and errors as Binance documents them."""

from typing import Any

import pytest

from genesis.connectors.venue.limits import STRIKES_MAX, WeightBudget
from tests.connectors.venue.venues import Venue, run, running, synthetic

ILLEGAL_SYMBOL = "Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9-_.]{1,20}$'."


@pytest.mark.parametrize(
    ("path", "code", "msg"),
    [
        ("/api/v3/depth", -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
        ("/api/v3/depth?symbol=", -1105, "Parameter 'symbol' was empty."),
        ("/api/v3/depth?symbol=btcusdt", -1100, ILLEGAL_SYMBOL),
        ("/api/v3/depth?symbol=NOSUCH", -1121, "Invalid symbol."),
        ("/api/v3/depth?symbol=BTCUSDT&limit=", -1105, "Parameter 'limit' was empty."),
        (
            "/api/v3/depth?symbol=BTCUSDT&limit=ten",
            -1100,
            "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'.",
        ),
        ("/api/v3/depth?symbol=BTCUSDT&limit=0", -1130, "Data sent for parameter 'limit' is not valid."),
        (
            "/api/v3/depth?symbol=BTCUSDT&side=BUY",
            -1104,
            "Not all sent parameters were read; read '1' parameter(s) but was sent '2'.",
        ),
        ("/api/v3/depth?symbol=A&symbol=B", -1101, "Duplicate values for a parameter detected."),
        ("/api/v3/time?x=1", -1101, "Too many parameters; expected '0' and received '1'."),
        ("/api/v3/exchangeInfo?symbol=NOSUCH", -1121, "Invalid symbol."),
        (
            '/api/v3/exchangeInfo?symbol=BTCUSDT&symbols=["BTCUSDT"]',
            -1128,
            "Combination of optional parameters invalid.",
        ),
        ("/fapi/v1/depth?symbol=BTCUSDT", -1121, "Invalid symbol."),
        ("/fapi/v1/depth?symbol=BTCUSDT&limit=7", -1130, "Data sent for parameter 'limit' is not valid."),
        ("/dapi/v1/depth?symbol=BTCUSD_PERP", -1121, "Invalid symbol."),
    ],
)
def test_a_bad_request_is_answered_with_code_and_message(path: str, code: int, msg: str) -> None:
    async def test() -> None:
        async with running(**synthetic()) as venue:
            assert await venue.get(path, status=400) == {"code": code, "msg": msg}

    run(test)


async def weight_of(venue: Venue, path: str) -> int:
    async def used() -> int:
        base = path.rpartition("/")[0]
        async with venue.session.get(f"{venue.url}{base}/ping") as answer:
            assert answer.headers["X-MBX-USED-WEIGHT"] == answer.headers["X-MBX-USED-WEIGHT-1M"]
            return int(answer.headers["X-MBX-USED-WEIGHT-1M"])

    before = await used()
    async with venue.session.get(venue.url + path):
        return await used() - before - 1


@pytest.mark.parametrize(
    ("path", "weight"),
    [
        ("/api/v3/depth?symbol=BTCUSDT", 5),
        ("/api/v3/depth?symbol=BTCUSDT&limit=100", 5),
        ("/api/v3/depth?symbol=BTCUSDT&limit=101", 25),
        ("/api/v3/depth?symbol=BTCUSDT&limit=500", 25),
        ("/api/v3/depth?symbol=BTCUSDT&limit=1000", 50),
        ("/api/v3/depth?symbol=BTCUSDT&limit=5000", 250),
        ("/api/v3/depth?symbol=BTCUSDT&limit=9999", 250),
        ("/api/v3/exchangeInfo", 20),
        ("/api/v3/time", 1),
        ("/fapi/v1/depth?symbol=BTCUSDT&limit=50", 2),
        ("/fapi/v1/depth?symbol=BTCUSDT", 10),
        ("/fapi/v1/depth?symbol=BTCUSDT&limit=1000", 20),
        ("/dapi/v1/exchangeInfo", 1),
    ],
)
def test_a_request_weighs_what_is_documented(path: str, weight: int) -> None:
    async def test() -> None:
        async with running(**synthetic()) as venue:
            assert await weight_of(venue, path) == weight

    run(test)


def test_more_than_the_budget_is_answered_with_429_and_then_418() -> None:
    async def test() -> None:
        async with running(**synthetic()) as venue:
            path = f"{venue.url}/api/v3/depth?symbol=BTCUSDT&limit=5000"
            statuses, retry_after_s = [], []
            for _ in range(24 + 1 + STRIKES_MAX):
                async with venue.session.get(path) as answer:
                    statuses.append(answer.status)
                    retry_after_s.append(int(answer.headers.get("Retry-After", 0)))
                    body: Any = await answer.json()
            assert statuses.count(200) <= 25  # a minute may end on the way
            assert {429, 418} >= set(statuses[25:])
            if 418 in statuses:
                assert body["code"] == -1003
                assert retry_after_s[-1] > 60
            assert all(each > 0 for each in retry_after_s[25:])

    run(test)


def test_the_budget_is_renewed_every_minute_and_a_ban_outlasts_it() -> None:
    now_s = 0.0
    budget = WeightBudget(100, clock_s=lambda: now_s)
    assert [budget.charge(60).status for _ in range(2)] == [200, 429]
    now_s = 60.0
    assert budget.charge(100).status == 200
    statuses = [budget.charge(1).status for _ in range(STRIKES_MAX + 1)]
    assert statuses == [429] * STRIKES_MAX + [418]
    now_s = 150.0
    assert budget.charge(1).status == 418
    now_s = 181.0
    assert budget.charge(1).status == 200


def test_exchange_information_has_the_filters_of_the_market() -> None:
    async def test() -> None:
        async with running(**synthetic(symbols=3)) as venue:
            info = await venue.get("/api/v3/exchangeInfo")
            assert [each["symbol"] for each in info["symbols"]] == ["BTCUSDT", "ETHUSDT", "BNBUSDT"]
            btc = info["symbols"][0]
            price, lot, *_ = btc["filters"]
            assert price["filterType"] == "PRICE_FILTER"
            assert price["tickSize"] == "0.01000000"
            assert (lot["filterType"], lot["stepSize"]) == ("LOT_SIZE", "0.00001000")
            kinds = {each["filterType"] for each in btc["filters"]}
            assert kinds >= {"MARKET_LOT_SIZE", "NOTIONAL", "PERCENT_PRICE_BY_SIDE", "MAX_NUM_ORDERS"}
            (weight,) = [each for each in info["rateLimits"] if each["rateLimitType"] == "REQUEST_WEIGHT"]
            assert (weight["interval"], weight["intervalNum"], weight["limit"]) == ("MINUTE", 1, 6_000)
            one = await venue.get("/api/v3/exchangeInfo?symbol=ETHUSDT")
            assert [each["symbol"] for each in one["symbols"]] == ["ETHUSDT"]
            two = await venue.get('/api/v3/exchangeInfo?symbols=["BNBUSDT","BTCUSDT"]')
            assert [each["symbol"] for each in two["symbols"]] == ["BNBUSDT", "BTCUSDT"]
            assert (await venue.get("/fapi/v1/exchangeInfo"))["symbols"] == []

    run(test)


def test_ping_and_time_answer_in_every_market() -> None:
    async def test() -> None:
        async with running(**synthetic()) as venue:
            for base in ("/api/v3", "/fapi/v1", "/dapi/v1"):
                assert await venue.get(f"{base}/ping") == {}
                started_ms = venue.server.source.start_ns // 1_000_000
                assert await venue.get(f"{base}/time") == {"serverTime": started_ms}

    run(test)
