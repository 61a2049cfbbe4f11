"""The two examples: parameters that cannot be are refused by name; a breakout is bought only when apart."""

import msgspec
import pytest

from genesis.operators.account.events import Mark, MarketRecord, PlaceOrder
from genesis.operators.strategies.breakout import Breakout, BreakoutParameters
from genesis.operators.strategies.pairs import PairsParameters
from genesis.operators.strategies.strategy import Strategy

START_NS = 1_700_000_000 * 10**9


@pytest.mark.parametrize(
    ("kind", "given", "named"),
    [
        (BreakoutParameters, {"symbols": "BTCUSDT,BTCUSDT"}, "symbols"),
        (BreakoutParameters, {"minutes": 0}, "minutes"),
        (BreakoutParameters, {"correlation_max": 2.0}, "correlation_max"),
        (BreakoutParameters, {"trail_ppm": 0}, "trail_ppm"),
        (BreakoutParameters, {"notional": "nan"}, "notional"),
        (PairsParameters, {"half_life_s": -1.0}, "half_life"),
        (PairsParameters, {"notional": "0"}, "notional"),
    ],
)
def test_parameters_that_cannot_be_are_refused_by_name(
    kind: type[msgspec.Struct], given: dict[str, object], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        kind(**given)


@pytest.mark.parametrize(("correlation", "bought"), [(0.2, 2), (0.9, 1), (None, 1)])
def test_a_second_breakout_is_bought_only_when_it_is_known_to_be_apart(
    correlation: float | None, bought: int
) -> None:
    strategy: Strategy = Breakout(BreakoutParameters(minutes=1, trail_ppm=400_000))
    state, asked = strategy.begin(), []
    for second in range(150):
        price = 100.0 if second < 100 else 100.0 + second  # both break out together
        bid, ask = f"{price:.2f}", f"{price + 0.01:.2f}"
        marks = [
            Mark(symbol=name, bid=bid, ask=ask, bid_qty="1", ask_qty="1") for name in ("BTCUSDT", "ETHUSDT")
        ]
        told = [("BTCUSDT", "ETHUSDT", correlation)] if correlation is not None else []
        record = MarketRecord(marks=marks, correlations=told)
        state, intents = strategy.on_market(state, record, START_NS + second * 10**9)
        asked += [each for each in intents if isinstance(each, PlaceOrder) and each.side == "buy"]
    assert len({each.symbol for each in asked}) == bought
