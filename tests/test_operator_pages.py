"""Every operator module has a page and a place in the index, and formulas come out as GitHub reads them."""

import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"


@pytest.fixture(scope="module")
def pages():
    pytest.importorskip("matplotlib")
    sys.path.insert(0, str(DOCS))
    import operators_pages

    return operators_pages


def test_every_module_is_in_the_index_once_even_a_new_one(pages) -> None:
    found = pages.modules()
    stranger = found[0]._replace(name="brand_new")
    groups = pages.grouped([*found, stranger])
    listed = [each.name for members in groups.values() for each in members]
    assert sorted(listed) == sorted([*(each.name for each in found), "brand_new"])
    assert groups["Others"][-1].name == "brand_new"


def test_every_picture_is_small_and_there(pages) -> None:
    assert not pages.lacking()


def test_formulas_code_and_names_become_markdown(pages) -> None:
    text = "Mean :math:`m\n_i` of ``x`` by `bars`:\n\n.. math:: a \\\\ b\n   + c\n\nEnd."
    assert pages.markdown(text, {"bars": "bars.md"}) == (
        "Mean $`m _i`$ of `x` by [`bars`](bars.md):\n\n"
        "```math\n\\begin{aligned}\na \\\\ b\n+ c\n\\end{aligned}\n```\n\nEnd."
    )


def test_examples_are_code_blocks(pages) -> None:
    assert pages.markdown(">>> 1 + 1\n2", {}) == "```python\n>>> 1 + 1\n2\n```"


def test_a_page_has_law_picture_state_functions_and_references(pages) -> None:
    links = {each.name: each.page for each in pages.modules()}
    (module,) = (each for each in pages.modules() if each.name == "hedge_ratio")
    text = pages.page(module, links)
    for part in ("# Hedge ratio", "## Law", "pictures/hedge_ratio.svg", "```math", "| `weight` | `Floats` |"):
        assert part in text
    assert text.index("## Functions") < text.index("## References")


def test_the_same_picture_is_drawn_every_time(pages) -> None:
    draw = pages.pictures()["docs/operators/pictures/liquidity.svg"]
    assert draw() == draw()
