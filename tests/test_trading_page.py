"""The page on trading names every check, in the order in which they are asked."""

import re
from pathlib import Path

from genesis.operators.account.risk import CHECKS


def test_the_page_has_every_check_in_its_order() -> None:
    page = (Path(__file__).parent.parent / "docs" / "trading.md").read_text()
    assert re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE) == [code for code, _rule, _check in CHECKS]
