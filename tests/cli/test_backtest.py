"""A backtest over recordings: twice the same, its cash that of a recomputation, its prices those recorded."""

import gzip
import itertools
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from genesis.cli import main
from genesis.cli.backtest import tried
from genesis.cli.errors import CommandError
from genesis.operators.strategies.report import Report, as_text, drawn
from tests.operators import recorded

pytestmark = pytest.mark.timeout(120)


def files(recordings: Path) -> list[str]:
    """Return the spot recordings."""
    return sorted(str(each) for each in (recordings / "raw_ws").glob("*spot*"))


@pytest.fixture(scope="module", params=["pairs", "breakout"])
def report(request: pytest.FixtureRequest, recordings: Path) -> Report:
    return tried(files(recordings), request.param, [], "500", tier_free=False)


def test_the_same_files_give_the_same_report(report: Report, recordings: Path) -> None:
    again = tried(files(recordings)[::-1], report.strategy, [], "500", tier_free=False)
    assert as_text(again) == as_text(report)
    assert again == report


def test_cash_and_holdings_equal_a_recomputation_from_the_trades(report: Report) -> None:
    assert report.trades == len(report.fills) > 0
    cash, held, fees = Decimal(report.capital), {}, Decimal(0)
    for fill in report.fills:
        qty, price = Decimal(fill.qty), Decimal(fill.price)
        if fill.side == "buy":
            assert fill.commission_asset == fill.symbol.removesuffix("USDT")
            assert Decimal(fill.commission) == qty / 1_000
            cash -= qty * price
            held[fill.symbol] = held.get(fill.symbol, Decimal(0)) + qty * Decimal("0.999")
            fees += qty * price / 1_000
        else:
            assert fill.commission_asset == "USDT"
            cash += qty * price * Decimal("0.999")
            held[fill.symbol] -= qty
            fees += qty * price / 1_000
    assert Decimal(report.cash) == cash
    assert {name: Decimal(qty) for name, qty in report.held.items()} == {n: q for n, q in held.items() if q}
    assert Decimal(report.fees) == fees
    assert Decimal(report.pnl) == Decimal(report.equity) - Decimal(report.capital)
    assert Decimal(report.equity) == Decimal(report.curve[-1][1])


def test_every_trade_is_at_a_quote_of_its_time_within_what_it_showed(
    report: Report, recordings: Path
) -> None:
    for fill in report.fills:
        _, quotes = recorded.ticks(recordings, f"spot_{fill.symbol.lower()}")
        near = quotes[
            (quotes["event_ns"] <= fill.event_ns + 200_000_000)
            & (quotes["event_ns"] > fill.event_ns - 5_000_000_000)
        ]
        side = "ask" if fill.side == "buy" else "bid"
        at = near[np.isclose(near[f"{side}_price"], float(fill.price), rtol=1e-12, atol=0.0)]
        assert at.size
        assert at[f"{side}_qty"].max() >= float(fill.qty)


def test_orders_are_asked_by_the_strategy_and_refusals_have_codes(report: Report) -> None:
    assert report.asked == report.accepted + sum(report.refusals.values())
    assert report.sharpe is None
    assert report.sortino is None
    assert "need two days" in as_text(report)
    assert 0.0 < report.drawdown < 0.01


def test_too_little_capital_is_refused_order_by_order(recordings: Path) -> None:
    poor = tried(files(recordings), "pairs", [], "100", tier_free=False)
    assert poor.trades == 0
    assert poor.accepted == 0
    assert set(poor.refusals) & {"POSITION_CAP", "FUNDS"}
    assert poor.equity == poor.cash == "100"


@pytest.mark.parametrize(
    ("strategy", "given", "capital", "word"),
    [
        ("luck", [], "500", "there is no strategy 'luck'"),
        ("pairs", ["notional"], "500", "NAME=VALUE"),
        ("pairs", [], "-1", "--capital"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    recordings: Path, strategy: str, given: list[str], capital: str, word: str
) -> None:
    with pytest.raises(CommandError, match=word):
        tried(files(recordings), strategy, given, capital, tier_free=False)


def test_a_recording_without_a_spot_market_is_a_sentence(recordings: Path) -> None:
    futures = [str(each) for each in (recordings / "raw_ws").glob("*usdm_btc*")]
    with pytest.raises(CommandError, match="spot"):
        tried(futures, "pairs", [], "500", tier_free=False)


def test_a_symbol_without_a_recording_is_a_sentence(recordings: Path) -> None:
    with pytest.raises(CommandError, match="follows ETHUSDT"):
        tried(files(recordings)[:1], "pairs", [], "500", tier_free=False)


def test_messages_that_cannot_be_read_are_counted(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with gzip.open(files(recordings)[0], "rt", encoding="utf-8") as lines:
        kept = list(itertools.islice(lines, 2_000))
    time_ns = kept[-1].split(" ", 1)[0]
    bad = '{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":"x"}}'
    path = tmp_path / "binance_spot_btcusdt_part.txt"
    path.write_text("".join([*kept, f"{time_ns} {bad}\n"]), encoding="utf-8")
    tried([str(path)], "breakout", ["symbols=BTCUSDT"], "500", tier_free=False)
    assert "1 message could not be read" in capsys.readouterr().err


def test_the_command_writes_report_and_picture(recordings: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    command = ["backtest", *files(recordings), "--strategy", "breakout", "--json", "--out"]
    shown = []
    for name in ("one", "two"):
        result = CliRunner().invoke(main._application(), [*command, str(tmp_path / name)])
        assert result.exit_code == 0, result.output
        shown.append(result.stdout)
    assert shown[0] == shown[1]
    assert json.loads(shown[0])["strategy"] == "breakout"
    for name in ("report.json", "report.txt", "equity.svg"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_curve_of_blocks_is_as_wide_as_asked() -> None:
    assert drawn([]) == ""
    assert drawn([1.0, 1.0]) == "▁▁"
    assert len(drawn([float(each) for each in range(1_000)])) == 60
    assert drawn([float(each) for each in range(1_000)])[-1] == "█"
