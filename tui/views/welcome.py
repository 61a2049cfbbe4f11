"""The first steps: what the three panels are, what the tier is, and the first trade; three short pages."""

from genesis.operators.account.tier_table import TIERS
from genesis.tui import accounting, figures, keys, text
from genesis.tui.text import Block
from genesis.tui.views.look import Look

MARGIN = 3
COLS_MAX = 76
LABEL_COLS = 18

Lines = list[tuple[str, str]]
"""Label and words; a line without a label is whole, one without words is empty."""


def screen(look: Look) -> Block:
    """Return the page of the present step in exactly the room given."""
    cols = min(look.cols - 2 * MARGIN, COLS_MAX)
    title, lines = (_panels, _tier, _trade)[min(look.controls.step, keys.STEPS - 1)](look)
    block: Block = [text.row([("strong", title)], cols), text.blank(cols)]
    for label, words in lines:
        wide = LABEL_COLS if label else 0
        for i, piece in enumerate(text.wrapped(words, cols - wide, 2) if words else [""]):
            before = text.pad(label if i == 0 else "", wide)
            block.append(text.row([("dim", before), ("text", piece)], cols))
    block += [text.blank(cols), text.row([("dim", _foot(look))], cols)]
    return text.tall(text.indent(block, MARGIN, look.cols), look.rows, look.cols)


def _foot(look: Look) -> str:
    here = f"step {look.controls.step + 1} of {keys.STEPS}"
    last = look.controls.step + 1 >= keys.STEPS
    return f"{here} · enter {'begins' if last else 'goes on'} · esc leaves · welcome brings it back"


def _panels(_look: Look) -> tuple[str, Lines]:
    return "Three panels, always in the same place", [
        ("top left", "what today has brought, and what may still be lost"),
        ("middle", "what you hold, and what is at work for you"),
        ("bottom", "the command line: type, look, send"),
        ("", ""),
        ("", "Gains are green, losses grey. Amber asks for care, and nothing hurries you."),
        ("", "F1 to F8 or tab lead through the screens, ? shows keys and commands."),
    ]


def _tier(look: Look) -> tuple[str, Lines]:
    rights = TIERS[look.tier]
    title = f"You are {look.tier.title}" if accounting.tier_of(look.affairs) is not None else "Your tier"
    budget = (
        figures.round_dollars(float(rights.daily_loss))
        if rights.daily_loss is not None
        else f"{float(rights.daily_loss_share or 0):.0%} of the account"
    )
    return title, [
        ("", "A tier is earned by how you trade, and never set."),
        ("today's budget", f"{budget} may be lost in a day; then only closing is open"),
        ("one position", "5 % of the capital at most"),
        ("drawdown", f"at {rights.drawdown_halt:.0%} below its peak the account rests"),
        ("", ""),
        ("", "What breaks a rule is declined before it is sent; what fits is named."),
        ("", "tier shows what the next one asks for."),
    ]


def _trade(look: Look) -> tuple[str, Lines]:
    known = keys.around(look.controls, look.model).known
    base = known.pair.removesuffix("USDT").lower() or "btc"
    run = look.model.run
    where = {"simulator": "the simulator: no real money moves", "paper": "paper: no real money moves"}
    said = where.get(run.trading if run is not None else "", "the venue that the border below names")
    return "Your first trade", [
        ("", f"This account trades on {said}."),
        ("", ""),
        (f"type b20u {base}", f"buy {base.upper()} for 20 dollars"),
        ("enter", "shows what it would lead to: quantity, cost, limits"),
        ("enter again", "sends it; esc lets go of it"),
        ("", ""),
        ("later", f"s50% {base} sells half of it, flatten all; why explains a refusal"),
    ]
