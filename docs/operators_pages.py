"""Pages of docs/operators: one per operator module, made from its docstrings, and an index of them.

The sources are read, not imported. A module that is not in `GROUPS` is listed under "Others", so a new
one has its page at once. Pictures come from `operator_plots`; they are drawn by `make docs`, and a check
asks only whether they are there and small: fonts, thus bytes, differ from machine to machine.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import operator_plots
import plotting

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "operators"
FOLDER = "docs/operators"
PICTURE_BYTES_MAX = 60_000

GROUPS: dict[str, tuple[str, ...]] = {
    "Correlation": (
        "ewma_correlation",
        "rolling_correlation",
        "hayashi_yoshida",
        "triangles",
        "refresh_time",
        "epps_curve",
        "matrix_repair",
        "matrix_distance",
    ),
    "Measures of the market": (
        "bars",
        "bar_ranges",
        "average_true_range",
        "realized_volatility",
        "interval_volatility",
        "liquidity",
        "spread_persistence",
        "order_flow_imbalance",
        "trade_flow_imbalance",
        "volume_profile",
        "tradability",
    ),
    "State of the market": ("market_state",),
    "Pairs": ("hedge_ratio", "spread_zscore", "half_life", "cointegration", "pair_signal"),
    "Slicing and cost": ("slicing", "market_impact", "execution_cost"),
    "Robust baselines": ("robust_baseline", "cusum", "page_hinkley"),
    "Account": ("account", "order_matching"),
    "Strategies": ("strategies",),
    "Folds": ("shard_fold", "market_join", "measures", "pairs_fold", "standings", "view"),
    "Infrastructure": (
        "arrays",
        "arrival",
        "instruments",
        "order_book",
        "parameters",
        "parity",
        "records",
        "release",
        "repeats",
        "roster",
        "sampling",
        "staleness",
        "synthetic_listings",
        "synthetic_market",
        "topics",
        "waiting",
    ),
}
"""Modules by what they are for, in the order of the index; a package stands for its modules."""

_SECTION = re.compile(r"^([A-Z][A-Za-z]+)\n-{3,}\n", re.MULTILINE)
_INLINE = re.compile(r":math:`([^`]+)`|``([^`]+)``|`([^`]+)`")


class Module(NamedTuple):
    """One source file."""

    name: str  # as in imports, such as slicing.plans
    text: str
    tree: ast.Module

    @property
    def page(self) -> str:
        """The file name of its page."""
        return self.name.replace(".", "_") + ".md"

    @property
    def law(self) -> str:
        """Its docstring."""
        return ast.get_docstring(self.tree) or ""

    @property
    def title(self) -> str:
        """What stands before the colon of the first line, or the name of the module."""
        head, colon, _ = self.law.partition("\n")[0].partition(":")
        return head if colon else self.name

    @property
    def summary(self) -> str:
        """The first paragraph without the title."""
        first = " ".join(self.law.split("\n\n")[0].split())
        rest = first.partition(": ")[2] or first
        return rest[:1].upper() + rest[1:]


def modules() -> list[Module]:
    """Return all operator modules by name."""
    found = []
    for path in sorted(SOURCES.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCES).with_suffix("").parts).removesuffix(".__init__")
        if name != "__init__":
            text = path.read_text(encoding="utf-8")
            found.append(Module(name, text, ast.parse(text)))
    return found


def pages() -> dict[str, Callable[[], str]]:
    """Return the pages by path, each a function returning its text."""
    found = modules()
    links = {each.name: each.page for each in found}

    def page_of(module: Module) -> Callable[[], str]:
        return lambda: page(module, links)

    made: dict[str, Callable[[], str]] = {f"{FOLDER}/README.md": lambda: index(found)}
    return made | {f"{FOLDER}/{each.page}": page_of(each) for each in found}


def pictures() -> dict[str, Callable[[], bytes]]:
    """Return the pictures by path, each a function drawing it."""
    names = {each.name for each in modules()}
    unknown = sorted(set(operator_plots.PLOTS) - names)
    if unknown:
        raise SystemExit(f"docs/operator_plots.py: no operator modules named {', '.join(unknown)}")
    return {
        f"{FOLDER}/{picture_of(name)}": lambda plot=plot: plotting.drawn(plot)
        for name, plot in operator_plots.PLOTS.items()
    }


def picture_of(name: str) -> str:
    """Return the file name of a module's picture."""
    return f"pictures/{name.replace('.', '_')}.svg"


def leftovers() -> list[str]:
    """Return pages and pictures that belong to no module any more."""
    expected = {*pages(), *(f"{FOLDER}/{picture_of(name)}" for name in operator_plots.PLOTS)}
    there = [*(ROOT / FOLDER).glob("*.md"), *(ROOT / FOLDER).glob("pictures/*")]
    return sorted({path.relative_to(ROOT).as_posix() for path in there} - expected)


def lacking() -> list[str]:
    """Return what is wrong with the pictures, one sentence each."""
    found = []
    for name in (f"{FOLDER}/{picture_of(name)}" for name in operator_plots.PLOTS):
        path = ROOT / name
        if not path.is_file():
            found.append(f"{name} is missing")
        elif path.stat().st_size > PICTURE_BYTES_MAX:
            found.append(f"{name} has {path.stat().st_size} bytes, more than {PICTURE_BYTES_MAX}")
    return found


def index(found: list[Module]) -> str:
    """Return the index page."""
    parts = [
        "# Operators\n\n",
        "Pure functions of state and arrays: no clock, no input or output, no engine. One page a module,\n",
        "made from its docstrings; formulas and references stand with the code they belong to.\n",
    ]
    for group, members in grouped(found).items():
        parts.append(f"\n## {group}\n\n| module | what |\n|---|---|\n")
        parts += [f"| [{each.name}]({each.page}) | {_cell(each.summary, {})} |\n" for each in members]
    return "".join(parts)


def grouped(found: list[Module]) -> dict[str, list[Module]]:
    """Return the modules by group; what is in none comes last."""
    groups: dict[str, list[Module]] = {group: [] for group in (*GROUPS, "Others")}
    for group, names in GROUPS.items():
        for name in names:
            groups[group] += [each for each in found if each.name == name or each.name.startswith(f"{name}.")]
    known = {each.name for members in groups.values() for each in members}
    groups["Others"] = [each for each in found if each.name not in known]
    return {group: members for group, members in groups.items() if members}


def page(module: Module, links: dict[str, str]) -> str:
    """Return the page of one module."""
    own = {getattr(node, "name", "") for node in module.tree.body}
    links = {name: target for name, target in links.items() if name not in own | {module.name}}
    law, *sections = _SECTION.split(module.law.partition("\n\n")[2])
    path = "operators/" + module.name.replace(".", "/")
    path += "/__init__.py" if (ROOT / path).is_dir() else ".py"
    parts = [f"# {module.title}\n\n", f"{module.summary}\n\n", f"Source: [`{path}`](../../{path}) · "]
    parts.append("[all operators](README.md)\n")
    if law.strip():
        parts.append(f"\n## Law\n\n{markdown(law, links)}\n")
    if module.name in operator_plots.PLOTS:
        caption = operator_plots.PLOTS[module.name].caption
        parts.append(f"\n![{caption}]({picture_of(module.name)})\n\n*{caption}*\n")
    parts += [_constants(module, links), _records(module, links), _functions(module, links)]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        parts.append(f"\n## {title}\n\n{markdown(body, links)}\n")
    return "".join(parts)


def _constants(module: Module, links: dict[str, str]) -> str:
    rows = []
    for node, after in zip(module.tree.body, module.tree.body[1:], strict=False):
        said = after.value if isinstance(after, ast.Expr) else None
        if isinstance(node, ast.Assign) and isinstance(said, ast.Constant) and isinstance(said.value, str):
            value = ast.unparse(node.value)
            shown = f"`{value}`" if len(value) <= 60 else "see the source"
            names = ", ".join(f"`{ast.unparse(each)}`" for each in node.targets)
            rows.append(f"| {names} | {_cell(shown, {})} | {_cell(said.value, links)} |\n")
    head = "\n## Constants\n\n| name | value | meaning |\n|---|---|---|\n"
    return head + "".join(rows) if rows else ""


def _records(module: Module, links: dict[str, str]) -> str:
    lines, parts = module.text.splitlines(), []
    for node in module.tree.body:
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
            continue
        fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
        parts.append(f"\n### `{node.name}`\n\n{_docstring(node, links)}\n")
        if fields:
            parts.append("\n| field | type | meaning |\n|---|---|---|\n")
        for field in fields:
            said = lines[(field.end_lineno or 0) - 1].partition("  # ")[2]
            kind = ast.unparse(field.annotation)
            parts.append(f"| `{ast.unparse(field.target)}` | `{_bare(kind)}` | {_cell(said, links)} |\n")
    return "\n## State and records\n" + "".join(parts) if parts else ""


def _functions(module: Module, links: dict[str, str]) -> str:
    parts = []
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            is_kernel = any(ast.unparse(each) == "kernel" for each in node.decorator_list)
            returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
            signature = f"{node.name}({ast.unparse(node.args)}){returns}"
            parts.append(f"\n### `{node.name}`{' (compiled)' if is_kernel else ''}\n\n")
            parts.append(f"```python\n{signature}\n```\n\n{_docstring(node, links)}\n")
    return "\n## Functions\n" + "".join(parts) if parts else ""


def _docstring(node: ast.ClassDef | ast.FunctionDef, links: dict[str, str]) -> str:
    text, *sections = _SECTION.split(ast.get_docstring(node) or "")
    parts = [markdown(text, links)]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        if title == "Examples":
            parts.append(markdown(body, links))
        else:
            parts.append(f"{title}:\n\n" + "\n".join(_entries(body, links)))
    return "\n\n".join(part for part in parts if part)


def _entries(body: str, links: dict[str, str]) -> Iterator[str]:
    """Yield the entries of a section as list items; the names of values are at the margin."""
    for entry in re.split(r"\n(?=\S)", body.strip("\n")):
        name, _, said = entry.partition("\n")
        if not said:
            yield f"- {_cell(name, links)}"
        else:
            yield f"- `{name.strip()}`: {_cell(said, links)}"


def _bare(kind: str) -> str:
    return kind.strip("'\"").replace("|", "or")


def _cell(text: str, links: dict[str, str]) -> str:
    """Return a text on one line, fit for a table."""
    return re.sub(r"(?<!\\)\|", r"\\|", _inline(" ".join(text.split()), links, in_table=True))


def _inline(text: str, links: dict[str, str], *, in_table: bool = False) -> str:
    def shown(match: re.Match[str]) -> str:
        formula, code, name = match.groups()
        if formula:
            formula = " ".join(formula.split())
            if in_table:
                formula = formula.replace("|", r"\vert ")
            return f"$`{formula}`$"
        if code:
            return f"`{code}`"
        module, _, _ = name.rpartition(".")
        target = links.get(name) or links.get(module) or links.get(f"slicing.{name}")
        return f"[`{name}`]({target})" if target else f"`{name}`"

    return _INLINE.sub(shown, text)


def markdown(text: str, links: dict[str, str]) -> str:
    """Return reStructuredText as far as docstrings here use it, as GitHub's Markdown.

    >>> markdown("So :math:`x` is ``y``.", {})
    'So $`x`$ is `y`.'
    """
    out: list[str] = []
    lines = text.strip("\n").splitlines()
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.lstrip().startswith(".. math::"):
            end = at + 1
            while end < len(lines) and (not lines[end].strip() or lines[end].startswith("   ")):
                end += 1
            formula = [line.partition(".. math::")[2], *lines[at + 1 : end]]
            out.append(_formula(formula))
            at = end
        elif line.startswith(">>> "):
            end = at
            while end < len(lines) and lines[end].strip():
                end += 1
            out.append("```python\n" + "\n".join(lines[at:end]) + "\n```")
            at = end
        else:
            end = at
            while end < len(lines) and not lines[end].lstrip().startswith((".. math::", ">>> ")):
                end += 1
            out.append(_inline("\n".join(lines[at:end]), links).strip("\n"))
            at = end
    return "\n\n".join(part for part in out if part)


def _formula(lines: list[str]) -> str:
    body = "\n".join(line.strip() for line in lines if line.strip())
    if r"\\" in body and r"\begin" not in body:
        body = f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"
    return f"```math\n{body}\n```"
