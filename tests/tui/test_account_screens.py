"""The screens of the account keep their promises: density, colours, places, weather, calm words."""

import itertools
import re
from collections.abc import Iterable
from dataclasses import replace

import pytest

from genesis.operators.account.tier_gates import Tier
from genesis.operators.account.tier_table import TIERS
from genesis.tui import notices, text, views
from genesis.tui.keys import ACCOUNT_SCREENS, SCREENS, Controls
from genesis.tui.text import Block
from genesis.tui.views import command, density
from tests.tui import scenes
from tests.tui.scenes import HEARD_NS, SECOND_NS, SIZES, halted, tilted, trading

SCENES = [f"{name}-{tier.name.lower()}" for name in ACCOUNT_SCREENS for tier in Tier]


def spans(name: str, size: tuple[int, int] = (120, 40)) -> list[tuple[str, str]]:
    return [span for row in scenes.draw(name, size) for span in row]


def lines(name: str, size: tuple[int, int] = (120, 40)) -> list[str]:
    return text.plain(scenes.draw(name, size))


@pytest.mark.parametrize("tier", list(Tier))
def test_a_tier_shows_no_more_than_its_table_allows_and_all_that_the_one_below_shows(tier: Tier) -> None:
    most = TIERS[tier].data_points_max
    assert most is None or len(density.shown(tier)) <= most
    if tier:
        assert density.shown(Tier(tier - 1)) <= density.shown(tier)
        assert tier is Tier.ARCHITECT or density.shown(Tier(tier - 1)) < density.shown(tier)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_beginner_sees_three_things(size: tuple[int, int]) -> None:
    body = "\n".join(lines("trading-sniper", size)[1 : -command.rows_of(size[1]) - 4])
    for title in ("Today", "Budget left today", "Position"):
        assert title in body
    for more in ("drawdown", "Working", "Moves with", "gates", "Market", "Trades"):
        assert more not in body


@pytest.mark.parametrize(("name", "size"), list(itertools.product(SCENES, SIZES)), ids=str)
def test_every_thing_has_its_place(name: str, size: tuple[int, int]) -> None:
    drawn = lines(name, size)
    prompt = size[1] - 1 - command.rows_of(size[1])
    assert drawn[prompt].startswith(f"│ {command.PROMPT}")
    assert set(drawn[prompt - 1].strip("│ ")) == {"─"}
    if name.startswith("trading"):
        assert drawn[2].startswith("│   Today ")
        assert re.match(r"│   [+-]\$[\d,]+\.\d\d   -?[\d.]+ %", drawn[3]), "dollars first, per cent second"


def test_per_cent_of_a_result_is_dimmer_than_its_dollars() -> None:
    found = scenes.draw("trading-hunter", (120, 40))[3]
    assert ("good", "+$41.92") in found
    assert ("dim", "   1.3 %") in found


def colours_of(drawn: Iterable[tuple[str, str]], pattern: str) -> set[str]:
    return {attribute for attribute, piece in drawn if re.fullmatch(pattern, piece.strip())}


@pytest.mark.parametrize("name", SCENES)
def test_gains_are_green_losses_grey_and_nothing_is_red(name: str) -> None:
    drawn = spans(name)
    assert colours_of(drawn, r"\+\$[\d.,]+k?") <= {"good"}
    assert colours_of(drawn, r"-\$[\d.,]+k?") <= {"dim"}
    assert "border" not in {attribute for attribute, _ in drawn}


def test_a_border_protects_until_it_is_acknowledged() -> None:
    size = (80, 24)
    drawn = scenes.draw("trading-protected", size)
    words = " ".join(text.plain(drawn)).replace("│", " ").split()
    assert "border" in {attribute for row in drawn for attribute, _ in row}
    assert "rests now. What you hold stays yours to sell." in " ".join(words)
    model = halted()
    found = notices.protection(model.affairs, (0, ""))
    assert found is not None
    after = Controls(acknowledged=notices.moment_of(found))
    seen = views.draw(model, after, views.Scene(*size, HEARD_NS))
    assert "border" not in {attribute for row in seen for attribute, _ in row}
    assert "halted" in text.plain(seen)[0], "it is acknowledged, and still so"
    market = Controls(screen=SCREENS.index("overview"))
    assert "f1" in text.plain(views.draw(model, market, views.Scene(*size, HEARD_NS)))[-2]


def edge(block: Block) -> set[str]:
    return {row[0][0] for row in block} | {row[-1][0] for row in block[1:-1]}


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("screen", range(len(SCREENS)))
def test_the_frame_turns_amber_on_every_screen(level: int, screen: int) -> None:
    drawn = views.draw(tilted(level), Controls(screen=screen), views.Scene(80, 24, HEARD_NS))
    assert edge(drawn) == {"amber" if level else "faint"}


def test_tilt_offers_then_asks_then_rests() -> None:
    assert "A short break is a good trade" in "".join(lines("trading-tilt-1", (80, 24)))
    assert "asks for a sentence" in "".join(lines("trading-tilt-2", (80, 24)))
    rest = "\n".join(lines("resting", (80, 24)))
    assert "A pause, to protect what you have built" in rest
    assert "Trading opens again in 27:14" in rest
    assert "Closing is always open" in rest
    assert "Today" not in rest, "what the day has brought is no help now"


def test_an_intervention_breathes_slowly_and_changes_no_word() -> None:
    drawn = []
    for half_s in range(16):
        now_ns = HEARD_NS + half_s * SECOND_NS // 2
        model = replace(tilted(1), heard_ns=dict.fromkeys(tilted(1).heard_ns, now_ns))
        drawn.append(views.draw(model, Controls(), views.Scene(80, 24, now_ns)))
    assert len({tuple(text.plain(each)) for each in drawn}) == 1
    colours = [next(a for row in each for a, piece in row if "short break" in piece) for each in drawn]
    assert sum(a != b for a, b in itertools.pairwise(colours)) <= 4


@pytest.mark.parametrize("name", ["trading-late", "trading-lost"])
def test_nothing_of_the_account_that_is_old_looks_fresh(name: str) -> None:
    body = scenes.draw(name, (80, 24))[1:16]
    inner = [span for row in body for span in row[1:-1]]
    assert {a for a, piece in inner if any(c.isdigit() for c in piece)} <= {"dim", "amber"}
    assert re.search(r"account as of|old", lines(name, (80, 24))[0])


def test_an_account_that_fell_silent_says_how_old_it_is() -> None:
    model = trading(Tier.SNIPER)
    heard = {**model.heard_ns, "feed ticks": HEARD_NS + 9 * SECOND_NS, "anything": HEARD_NS + 9 * SECOND_NS}
    top = text.plain(
        views.draw(replace(model, heard_ns=heard), Controls(), views.Scene(80, 24, HEARD_NS + 9 * SECOND_NS))
    )[0]
    assert "account 9 s old" in top


CALM = re.compile(r"!|error|fail|wrong|must|danger|alert|stupid", re.IGNORECASE)


@pytest.mark.parametrize("name", [*SCENES, "resting", "trading-tilt-1", "trading-tilt-2", "trading-none"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_words_are_calm(name: str, size: tuple[int, int]) -> None:
    assert not CALM.search("\n".join(lines(name, size)))


@pytest.mark.parametrize("tier", [tier.name.lower() for tier in Tier])
def test_every_gate_is_said_whole_in_the_smallest_window(tier: str) -> None:
    gates = [line for line in lines(f"tier-{tier}", (80, 24)) if "✓" in line or "○" in line]
    assert not [line for line in gates if text.CUT in line]
    assert len(gates) == {"sniper": 7, "hunter": 7, "strategist": 6, "architect": 0}[tier]


def test_promotion_has_its_ceremony() -> None:
    drawn = "\n".join(lines("tier-ceremony", (80, 24)))
    assert "You are Hunter now. Every gate was passed by what you did." in drawn
    assert "Limits are halved for 38 h more" in drawn


def test_where_the_ledger_is_not_read_the_screens_say_so() -> None:
    for name in ("results", "tier"):
        controls = Controls(screen=SCREENS.index(name))
        drawn = text.plain(views.draw(scenes.live(), controls, views.Scene(80, 24, HEARD_NS)))
        assert any("in the ledger, which is not read here yet" in line for line in drawn)


def test_names_from_outside_cannot_move_the_cursor() -> None:
    from tests.tui import ledgered

    evil = ledgered.decision(1, "mode", "a \x1b[31mword", 1.0)
    model = scenes.told(evil, ledgered.parent(Tier.HUNTER, symbol="\x1b[2J", parent_id="x"), tier=Tier.HUNTER)
    for screen, _ in enumerate(ACCOUNT_SCREENS):
        drawn = views.draw(model, Controls(screen=screen), views.Scene(120, 40, HEARD_NS))
        assert not any("\x1b" in line for line in text.plain(drawn))
