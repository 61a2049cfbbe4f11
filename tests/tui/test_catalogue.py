"""The catalogue has a message for every refusal, in three calm parts that fit the narrowest screen."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from genesis.operators import account
from genesis.operators.account import risk
from genesis.tui import catalogue
from genesis.tui.catalogue import LINE_COLS, Message
from genesis.tui.text import columns

HARSH = re.compile(
    r"!|\b(error|fail\w*|wrong|must|invalid|illegal|forbidden|denied|rejected|bad|stupid|mistake\w*"
    r"|your fault|you (did|should|cannot|can't|forgot))\b",
    re.IGNORECASE,
)
OF_THE_FOLD_ALONE = {"OK", "GATES_PASSED", "GUARD", "PROMOTED", "LOSING_DAYS", "TILT", "CAPITAL", "ASKED"}


def refused() -> Iterator[str]:
    """Yield every code that the account's source refuses with."""
    yield from (code for code, _rule, _check in risk.CHECKS)
    for path in Path(next(iter(account.__path__))).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(
                getattr(node, "func", None), "id", getattr(getattr(node, "func", None), "attr", "")
            )
            if isinstance(node, ast.Call) and name in ("Refused", "AmountError", "_declined", "decide"):
                for arg in node.args[:2]:
                    if isinstance(arg, ast.Constant) and re.fullmatch("[A-Z][A-Z_]+", str(arg.value)):
                        yield str(arg.value)


def test_every_code_has_a_message() -> None:
    codes = set(refused()) - OF_THE_FOLD_ALONE
    assert len(codes) > 30
    assert codes <= set(catalogue.REFUSALS), "add them to tui/catalogue.py"


@pytest.mark.parametrize(
    "said", [*catalogue.REFUSALS.values(), catalogue.UNKNOWN], ids=lambda said: said.happened
)
def test_a_message_has_three_calm_parts_that_fit(said: Message) -> None:
    for part in (said.happened, said.fine, said.next):
        assert part.endswith(".")
        assert 10 <= columns(part) <= LINE_COLS
        assert not HARSH.search(part), part
