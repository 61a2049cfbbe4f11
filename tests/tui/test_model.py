"""The model is a pure fold: however the records are cut into batches, it ends the same."""

import dataclasses
import functools
import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.operators import records, topics, view
from genesis.operators.records import WATERMARK_FINAL_NS, Market
from genesis.tui import derived
from genesis.tui.batch import WINDOW_S, Batch, Gatherer, Message, merge
from genesis.tui.model import GAPS_MAX, Instrument, Model, apply
from tests.tui.rehearsal import START_NS, Rehearsal, framed
from tests.tui.scenes import live

SECOND_NS = 1_000_000_000
NAMES = (b"BTCUSDT", b"ETHUSDT", "币安USDT".encode())


def same(first: Model, second: Model) -> None:
    """Assert that two models hold the same bytes."""
    for field in dataclasses.fields(Model):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if isinstance(one, np.ndarray):
            assert one.tobytes() == other.tobytes(), field.name
        else:
            assert one == other, field.name


def batches(messages: list[Message], cuts: list[int]) -> list[Batch]:
    gatherer = Gatherer()
    edges = [0, *sorted(c % (len(messages) + 1) for c in cuts), len(messages)]
    return [gatherer.gather(messages[a:b], 0) for a, b in itertools.pairwise(edges)]


def folded(messages: list[Message], cuts: list[int]) -> Model:
    return functools.reduce(apply, batches(messages, cuts), Model())


def quote_frame(rows: list[tuple[int, int, float]], watermark_ns: int) -> Message:
    """Return quotes as (symbol, event_ns after the start, mid)."""
    quotes = records.QUOTE.empty(len(rows))
    for quote, (symbol, at_ns, mid) in zip(quotes, rows, strict=True):
        quote["symbol"], quote["market"] = NAMES[symbol], Market.SPOT
        quote["event_ns"] = START_NS + at_ns
        quote["bid_price"], quote["ask_price"] = mid - 0.5, mid + 0.5
    return framed(topics.VIEW, 0, view.conflate(view.of_quotes(quotes)), watermark_ns)


def trade_frame(rows: list[tuple[int, int]]) -> Message:
    trades = records.TRADE.empty(len(rows))
    for trade, (symbol, at_ns) in zip(trades, rows, strict=True):
        trade["symbol"], trade["market"], trade["event_ns"] = NAMES[symbol], Market.SPOT, START_NS + at_ns
    return framed(topics.VIEW, 0, view.conflate(view.of_trades(trades)), START_NS)


times = st.integers(0, 200 * SECOND_NS)
symbols = st.integers(0, len(NAMES) - 1)
quotes = st.lists(st.tuples(symbols, times, st.floats(1.0, 1e6)), max_size=12)
trades = st.lists(st.tuples(symbols, times), max_size=12)
frames = st.one_of(quotes.map(lambda rows: quote_frame(rows, START_NS)), trades.map(trade_frame))
cuts = st.lists(st.integers(0, 1000), max_size=6)


@given(st.lists(frames, max_size=25), cuts)
@settings(max_examples=150, deadline=None)
def test_any_batching_gives_the_same_model(messages: list[Message], cut: list[int]) -> None:
    one_by_one = folded(messages, list(range(len(messages))))
    same(folded(messages, cut), one_by_one)
    merged = functools.reduce(merge, batches(messages, cut), Batch())
    same(apply(Model(), merged), one_by_one)


@given(st.integers(0, 3), cuts)
@settings(max_examples=15, deadline=None)
def test_a_whole_market_gives_the_same_model_in_any_batches(seed: int, cut: list[int]) -> None:
    rehearsal = Rehearsal(5, 2, seed=seed)
    messages = rehearsal.run(25)
    messages += [rehearsal.gap(3), rehearsal.gap(3, seconds=1.0), rehearsal.gap(9, 2)]
    messages += rehearsal.run(12, first=25)
    same(folded(messages, cut), folded(messages, []))


def test_a_batch_leaves_the_model_it_is_applied_to_unchanged() -> None:
    messages = Rehearsal(3).run(40)
    model = folded(messages[: len(messages) // 2], [])
    before = model.board.tobytes(), model.correlation.tobytes()
    apply(model, Gatherer().gather(messages[len(messages) // 2 :], 0))
    assert (model.board.tobytes(), model.correlation.tobytes()) == before


def test_a_late_quote_does_not_replace_a_newer_one() -> None:
    model = folded([quote_frame([(0, 5 * SECOND_NS, 101.0), (0, 4 * SECOND_NS, 99.0)], START_NS)], [])
    assert derived.figures(model).mid.tolist() == [101.0]


def test_changes_go_over_the_last_minute_and_since_the_start() -> None:
    rows = [(0, s * SECOND_NS, 100.0 + s) for s in range(121)]
    found = derived.figures(folded([quote_frame(rows, START_NS)], []))
    assert found.minute_s == 60
    np.testing.assert_allclose(found.minute_change, 220.0 / 160.0 - 1.0)
    np.testing.assert_allclose(found.start_change, 1.2)


def test_before_a_minute_has_passed_the_change_says_over_how_long_it_goes() -> None:
    found = derived.figures(folded([quote_frame([(0, 0, 100.0), (0, 7 * SECOND_NS, 107.0)], START_NS)], []))
    assert found.minute_s == 7
    np.testing.assert_allclose(found.minute_change, 0.07)


def test_trades_are_counted_over_the_last_ten_whole_seconds() -> None:
    quotes_first = quote_frame([(0, 0, 100.0), (0, 30 * SECOND_NS, 100.0)], START_NS)
    traded = trade_frame([(0, s * SECOND_NS + k) for s in range(31) for k in range(s)])
    found = derived.figures(folded([quotes_first, traded], []))
    assert found.trades_per_s.tolist() == [sum(range(20, 30)) / 10]


def test_a_one_sided_book_has_no_mid() -> None:
    frame = quote_frame([(0, 0, 0.5)], START_NS)
    assert np.isnan(derived.figures(folded([frame], [])).mid).all()


def test_a_new_replay_begins_with_an_empty_board_and_keeps_what_is_said_of_processes() -> None:
    later = [quote_frame([(0, 0, 100.0)], START_NS)]
    earlier = quote_frame([(1, -3600 * SECOND_NS, 50.0)], START_NS - 3600 * SECOND_NS)
    health = [m for m in Rehearsal(2).step(0) if m.topic is topics.HEALTH]
    model = folded([*health, *later, earlier], [])
    assert model.instruments == (Instrument(Market.SPOT, NAMES[1]),)
    assert set(model.health) == {"store", "venue", "feed", "market", "archive"}


def test_a_log_that_began_anew_empties_the_board() -> None:
    first = quote_frame([(0, 0, 100.0)], START_NS)
    anew = quote_frame([(1, SECOND_NS, 50.0)], START_NS)._replace(restarted=True)
    assert [each.symbol for each in folded([first, anew], []).instruments] == [NAMES[1]]


def test_the_end_of_a_recording_needs_every_partition() -> None:
    rehearsal = Rehearsal(2)
    messages = rehearsal.run(2)
    final = rehearsal.final()
    assert not folded([*messages, *final[:-1]], []).ended or len(final) == 1
    model = folded([*messages, *final], [])
    assert model.ended
    assert 0 < model.venue_ns < WATERMARK_FINAL_NS


def test_what_cannot_be_read_is_counted_and_disturbs_nothing() -> None:
    good = quote_frame([(0, 0, 100.0)], START_NS)
    newer = good._replace(headers=[("schema", b"quote.v9"), ("watermark_ns", b"1")])
    ragged = good._replace(value=good.value[:-3])
    words = Rehearsal(1).step(0)[-1]._replace(value=b"{not json")
    model = folded([newer, ragged, words, good], [])
    assert model.unreadable == 3
    assert len(model.instruments) == 1


def test_memories_are_bounded() -> None:
    rehearsal = Rehearsal(2)
    gaps = [rehearsal.gap(i) for i in range(GAPS_MAX + 50)]
    model = folded(gaps, [])
    assert model.gaps.size == GAPS_MAX
    assert int(model.gaps["start_ns"].min()) == START_NS + 50 * 100_000_000
    assert model.board["mid"].shape[1:] == (WINDOW_S,)


def test_what_nobody_takes_does_not_grow() -> None:
    rehearsal, gatherer = Rehearsal(3), Gatherer()
    waiting = Batch()
    for i in range(1500):
        waiting = merge(waiting, gatherer.gather(rehearsal.step(i), 0))
    assert waiting.rows["quotes"].size <= 3 * (WINDOW_S + 2)
    assert waiting.rows["trades"].size <= 3 * (WINDOW_S + 1)
    assert waiting.rows["correlation"].size == 3 * 3
    assert len(waiting.health) <= 500


def test_correlations_are_symmetric_and_undefined_stays_undefined() -> None:
    found = derived.matrix(live(12, 4), 60 * SECOND_NS, Market.SPOT)
    assert len(found.members) == 12
    np.testing.assert_array_equal(found.values, found.values.T)
    assert np.isnan(np.diag(found.values)).all()
    assert derived.half_lives(live(12, 4)) == [60 * SECOND_NS, 300 * SECOND_NS, 3600 * SECOND_NS]
    assert derived.correlated_markets(live(12, 4)) == [Market.SPOT, Market.USDM, 0]


def test_freshness_names_who_is_silent() -> None:
    model = dataclasses.replace(
        live(4, 0), heard_ns={"feed ticks": 0, "anything": 9 * SECOND_NS, "feed": 9 * SECOND_NS}
    )
    assert derived.freshness(model, SECOND_NS).state is derived.Fresh.LIVE
    assert derived.freshness(model, 10 * SECOND_NS).state is derived.Fresh.SILENT
    lost = derived.freshness(model, 30 * SECOND_NS)
    assert (lost.state, lost.age_s, lost.dim) == (derived.Fresh.LOST, 30.0, True)
    assert derived.freshness(Model(), 10 * SECOND_NS).state is derived.Fresh.WAITING
