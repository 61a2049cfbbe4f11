"""The command line: typed, looked at, sent; nothing is sent that was not looked at."""

import stat
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from genesis.operators.account.events import Flatten, PlaceOrder
from genesis.operators.account.preview import Preview
from genesis.tui.commands import line as lines
from genesis.tui.commands.errand import Answer, What
from genesis.tui.commands.grammar import COMMAND_MAX
from genesis.tui.commands.line import Around, Line, Stage
from genesis.tui.commands.meaning import AtWork, Known
from genesis.tui.memory import Memory

KNOWN = Known(pairs=("BTCUSDT", "ETHUSDT"), pair="BTCUSDT")
ACTIONS = {name: key.action for key in lines.TABLE for name in key.names}


def press(line: Line, key: str, around: Around) -> Line:
    if not line.active:
        return lines.begin(line, key, around) if len(key) == 1 else line
    return ACTIONS[key](line, around) if key in ACTIONS else lines.insert(line, key, around)


def typed(*keys: str, line: Line | None = None, around: Around | None = None) -> Line:
    line = line or Line()
    for key in keys:
        line = press(line, key, around or Around(KNOWN, {}))
    return line


def preview(accepted: bool = True, fits: str = "") -> Preview:
    code = "OK" if accepted else "POSITION_CAP"
    return Preview(event_ns=5, accepted=accepted, code=code, sentence="so it is", fits=fits)


def answered(line: Line, **said: object) -> Around:
    return Around(KNOWN, {line.number: Answer(line.number, **said)})  # type: ignore[arg-type]


def test_an_order_is_looked_at_as_it_is_typed_and_sent_by_enter_twice() -> None:
    line = typed(*"b25u")
    assert line.errand is not None
    assert line.errand.what is What.GLANCE
    looked_at = line.errand.command
    around = answered(line, preview=preview())
    line = typed("enter", line=line, around=around)
    assert line.stage is Stage.LOOKED_AT
    line = typed("enter", line=line, around=around)
    assert line.errand is not None
    assert line.errand.what is What.SEND
    assert line.errand.command == looked_at == PlaceOrder(symbol="BTCUSDT", side="buy", notional="25")
    assert (line.text, line.sent, line.history) == ("", line.errand.number, ("b25u",))


def test_an_order_is_not_sent_before_it_was_looked_at() -> None:
    line = typed(*"b25u", "enter", "enter", "enter")
    assert line.errand is not None
    assert line.errand.what is What.GLANCE


def test_an_order_that_cannot_be_looked_at_is_sent_when_that_was_said() -> None:
    line = typed(*"b25u", "enter")
    after = typed("enter", line=line, around=answered(line, trouble="the ledger is away"))
    assert after.errand is not None
    assert after.errand.what is What.SEND


def test_an_order_that_would_be_declined_is_looked_at_again_and_not_sent() -> None:
    line = typed(*"b25u", "enter")
    after = typed("enter", line=line, around=answered(line, preview=preview(accepted=False)))
    assert after.errand is not None
    assert after.errand.what is What.GLANCE
    assert after.number == line.number + 1


def test_closing_never_waits_for_a_look() -> None:
    line = typed(*"flatten", "enter", "enter")
    assert line.errand is not None
    assert line.errand.what is What.SEND
    assert line.errand.command == Flatten()


def test_what_is_sent_is_what_was_looked_at_though_the_list_has_changed() -> None:
    before = Around(KNOWN._replace(orders=(AtWork("first", "buy BTC", "BTCUSDT"),)), {})
    line = typed(*"cancel 1", "enter", around=before)
    orders = (AtWork("second", "sell ETH", "ETHUSDT"), *before.known.orders)
    line = typed("enter", line=line, around=Around(KNOWN._replace(orders=orders), {}))
    assert line.errand is not None
    assert line.errand.what is What.GLANCE, "another order is the first now: it is shown before it is sent"
    assert "sell ETH" in line.says


def test_an_edit_after_the_look_asks_for_another() -> None:
    line = typed(*"b25u", "enter", " ", *"eth")
    assert line.stage is Stage.TYPING
    line = typed("enter", line=line)
    assert line.errand is not None
    assert isinstance(line.errand.command, PlaceOrder)
    assert line.errand.command.symbol == "ETHUSDT"


def test_tab_takes_what_fits_in_place_of_what_would_be_declined() -> None:
    line = typed(*"b60u eth", "enter")
    around = answered(line, preview=preview(accepted=False, fits="24.37"))
    after = typed("tab", line=line, around=around)
    assert after.text == "buy 24.37u eth"
    assert after.stage is Stage.TYPING
    nothing = answered(line, preview=preview(accepted=False, fits="0"))
    assert not lines.fits(line, nothing)


def test_tab_completes_and_goes_round() -> None:
    line = typed(*"b25u ", "tab")
    assert line.text == "b25u btc "
    assert typed("tab", line=line).text == "b25u eth "
    assert typed("tab", "shift tab", line=line).text == "b25u btc "
    assert typed(*"fl", "tab").text == "flatten "


def test_esc_lets_go_step_by_step() -> None:
    line = typed(*"b25u", "enter", "esc")
    assert (line.text, line.stage) == ("b25u", Stage.TYPING)
    assert not typed("esc", line=line).active


def test_commands_before_come_back_and_the_draft_is_kept() -> None:
    line = Line(history=("flatten", "b25u"))
    line = typed(*"s5", "up", "up", "up", line=line)
    assert line.text == "flatten"
    assert typed("down", line=line).text == "b25u"
    assert typed("down", "down", line=line).text == "s5"


def test_words_that_are_private_are_not_remembered() -> None:
    history: tuple[str, ...] = ()
    for said in (
        "journal I lost my temper",
        "override I accept the risk and want to trade on today",
        "buy 25u eth because I am angry",
        "halt because tired",
        "no command at all",
    ):
        history = lines.remembered(history, said)
    assert history == ("buy 25u eth", "halt") or history == ("buy 25u eth",)
    assert not any(word in " ".join(history) for word in ("angry", "temper", "tired", "accept"))


KEYS = st.sampled_from([*ACTIONS, *"b25u eth limit 60000 journal :$€", "f5", "page up", "bück"])


@given(st.lists(KEYS, max_size=40), st.lists(st.tuples(KEYS, st.booleans()), max_size=20))
def test_no_sequence_of_keys_breaks_it_or_sends_what_was_not_looked_at(
    first: list[str], then: list[tuple[str, bool]]
) -> None:
    line = typed(*first)
    for key, accepted in then:
        before = line
        line = press(line, key, answered(line, preview=preview(accepted=accepted)))
        assert 0 <= line.cursor <= len(line.text) <= COMMAND_MAX
        assert line.number >= before.number
        errand = line.errand
        if errand is not None and errand.what is What.SEND and errand is not before.errand:
            assert before.stage is Stage.LOOKED_AT
            assert before.errand is not None
            assert errand.command == before.errand.command
            assert accepted or not isinstance(errand.command, PlaceOrder)


def test_the_memory_is_for_its_owner_alone_and_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "dashboard"
    memory = Memory(folder)
    assert memory.is_first()
    assert memory.history() == ()
    memory.keep(("b25u", "flatten"))
    memory.welcomed()
    assert not Memory(folder).is_first()
    assert Memory(folder).history() == ("b25u", "flatten")
    assert stat.S_IMODE((folder / "history").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / "history").write_bytes(b"b25u\n\xff\x1b[2J\n")
    assert not any("\x1b" in each for each in memory.history())


def test_a_memory_without_a_folder_remembers_nothing() -> None:
    memory = Memory(None)
    memory.keep(("b25u",))
    memory.welcomed()
    assert memory.history() == ()
    assert not memory.is_first()


def test_a_long_entry_ends_at_the_limit() -> None:
    line = replace(Line(), text="journal " + "a" * (COMMAND_MAX - 8), cursor=COMMAND_MAX)
    assert typed("b", line=line) == line
