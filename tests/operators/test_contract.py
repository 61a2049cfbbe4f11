"""House rules of the operators, checked on every module and kernel, new ones too.

What a rule cannot be asked of is named here with the reason, and a reason that is no longer needed fails.
"""

import ast
import importlib
import inspect
import pickle
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from genesis.operators.arrays import copied

ROOT = Path(__file__).resolve().parent.parent.parent
OPERATORS = ROOT / "operators"

ARTICLES = {"A", "An", "The", "This", "These", "It", "One", "Its"}
TWIN = re.compile(r"twin|naive|definition|plain.loop|written out", re.IGNORECASE)

REACHED_THROUGH = {
    "interval_volatility": "measures",
    "lanes": "rolling_correlation",
    "parameters": "hedge_ratio",
    "strategies.trial": "strategies.report",
}
"""Modules that are tested through another one, whose part they are."""


class Module(NamedTuple):
    """One source file."""

    name: str  # as in imports below genesis.operators, such as slicing.plans
    tree: ast.Module
    text: str

    @property
    def kernels(self) -> list[ast.FunctionDef]:
        return [node for node in self.tree.body if isinstance(node, ast.FunctionDef) and compiled(node)]

    @property
    def public(self) -> list[ast.FunctionDef]:
        return [kernel for kernel in self.kernels if not kernel.name.startswith("_")]


def compiled(function: ast.FunctionDef) -> bool:
    return any(ast.unparse(decorator) in ("kernel", "inlined") for decorator in function.decorator_list)


INSTRUCTIONS = {"lanes"}
"""Modules whose functions write instructions into the kernel that calls them; they are no kernels."""


def read() -> Iterator[Module]:
    for path in sorted(OPERATORS.rglob("*.py")):
        name = ".".join(path.relative_to(OPERATORS).with_suffix("").parts).removesuffix(".__init__")
        if name != "__init__":
            text = path.read_text(encoding="utf-8")
            yield Module(name, ast.parse(text), text)


MODULES = list(read())
WITH_KERNELS = [module for module in MODULES if module.kernels]
KERNELS = [(module, kernel) for module in MODULES for kernel in module.kernels]
each_module = pytest.mark.parametrize("module", MODULES, ids=[module.name for module in MODULES])
each_kernel = pytest.mark.parametrize(
    ("module", "kernel"), KERNELS, ids=[f"{module.name}.{kernel.name}" for module, kernel in KERNELS]
)


def imported(tree: ast.Module) -> set[str]:
    """Return the operator modules that a file imports from, however it says so."""
    names = {module.name for module in MODULES}
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("genesis.operators"):
            base = (node.module or "").removeprefix("genesis.operators").removeprefix(".")
            found |= {base, *(f"{base}.{alias.name}".removeprefix(".") for alias in node.names)} & names
    return found


@cache
def files_of_tests() -> dict[str, tuple[set[str], str]]:
    """Return the test files: what each imports of the operators, and its text."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    return {
        name: (imported(ast.parse(text)), text) for name, text in texts.items() if name != "test_contract.py"
    }


def proofs_of(name: str) -> dict[str, str]:
    """Return the tests of a module by file name."""
    of = REACHED_THROUGH.get(name, name)
    return {file: text for file, (modules, text) in files_of_tests().items() if of in modules}


@each_module
def test_a_module_opens_with_one_line_that_says_what_it_is(module: Module) -> None:
    law = ast.get_docstring(module.tree) or ""
    first, _, rest = law.partition("\n")
    assert first.endswith("."), f"{module.name}: the first line of the file is no sentence: {first!r}"
    assert not rest or rest.startswith("\n"), f"{module.name}: a blank line must follow the first one"


@each_kernel
def test_a_kernel_says_what_it_does(module: Module, kernel: ast.FunctionDef) -> None:
    first = (ast.get_docstring(kernel) or "").partition("\n")[0]
    where = f"{module.name}.{kernel.name}"
    assert first, f"{where} has no docstring"
    verb = first.split()[0].rstrip(",:")
    assert verb.istitle(), f"{where}: begin with a verb, not {verb!r}"
    assert verb not in ARTICLES, f"{where}: begin with a verb, not {verb!r}"
    assert not verb.endswith(("s", "ing")), f"{where}: say {verb!r} in the imperative"


@each_kernel
def test_a_kernel_calls_only_kernels_of_its_own_file(module: Module, kernel: ast.FunctionDef) -> None:
    """Numba keeps compiled code by file: it would not notice a change in another."""
    foreign = {
        alias.asname or alias.name
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("genesis")
        if (node.module or "").removeprefix("genesis.operators.") not in INSTRUCTIONS
        for alias in node.names
    }
    own = {node.name: node for node in module.tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for call in ast.walk(kernel):
        if not isinstance(call, ast.Call):
            continue
        root = call.func
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name):
            said = f"{module.name}.{kernel.name}, line {call.lineno}: calls {ast.unparse(call.func)}"
            assert root.id not in foreign or root.id[0].isupper(), f"{said} of another file"
            mine = own.get(root.id)
            assert not isinstance(mine, ast.FunctionDef) or compiled(mine), f"{said}, which is not compiled"


@each_kernel
def test_a_public_kernel_has_its_parameters_and_is_shown_in_an_example(
    module: Module, kernel: ast.FunctionDef
) -> None:
    if kernel.name.startswith("_"):
        return
    where, said = f"{module.name}.{kernel.name}", ast.get_docstring(kernel) or ""
    if len(kernel.args.args) > 3:
        assert "Parameters\n----------" in said, f"{where} does not describe its parameters"
    examples = [line for line in module.text.splitlines() if line.lstrip().startswith((">>> ", "... "))]
    shown = any(re.search(rf"\b{kernel.name}\(", line) for line in examples)
    used = any(re.search(rf"\b{kernel.name}\(", text) for text in proofs_of(module.name).values())
    called = module.text.count(f"{kernel.name}(") > 1  # by what is shown instead of it
    assert shown or used or called, f"{where} is in no example, in no test and not used in its module"


@each_module
def test_a_module_has_tests(module: Module) -> None:
    assert proofs_of(module.name), f"no test imports genesis.operators.{module.name}"


@pytest.mark.parametrize("module", WITH_KERNELS, ids=[module.name for module in WITH_KERNELS])
def test_a_module_with_kernels_is_compared_with_a_slow_twin(module: Module) -> None:
    assert any(TWIN.search(text) for text in proofs_of(module.name).values()), (
        f"{module.name}: its tests name no naive twin and no definition to compare with"
    )


@each_module
def test_formulas_have_references_or_are_said_to_be_ours(module: Module) -> None:
    law = ast.get_docstring(module.tree) or ""
    if ".. math::" in law or re.search(r"[(\s](18|19|20)\d\d\)", law):
        ours = re.search(r"\b(is|are) ours\b", law)
        assert "References\n----------" in law or ours, f"{module.name}: formulas without References"


@each_module
def test_formulas_are_in_raw_docstrings(module: Module) -> None:
    """Otherwise a backslash means something else: r before the quotes."""
    if r"\frac" in module.text or ":math:" in module.text:
        head = module.text.lstrip()
        assert head.startswith('r"""') or ":math:" not in head.split('"""')[1], (
            f"{module.name}: no r before the law"
        )


def states() -> Iterator[Any]:
    """Yield the makers of first states: functions that take nothing, or sizes, and give a NamedTuple."""
    for module in MODULES:
        loaded = importlib.import_module(f"genesis.operators.{module.name}")
        for name, maker in inspect.getmembers(loaded, inspect.isfunction):
            if (
                name.startswith(("no_", "new_", "empty_", "all_", "nothing_"))
                and maker.__module__ == loaded.__name__
            ):
                kinds = [each.annotation for each in inspect.signature(maker).parameters.values()]
                if all(kind is int for kind in kinds):
                    yield pytest.param(maker, len(kinds), id=f"{module.name}.{name}")


@pytest.mark.parametrize(("maker", "sizes"), list(states()))
def test_a_first_state_survives_pickling_and_a_copy_of_it_stands_alone(maker: Any, sizes: int) -> None:
    state = maker(*(2 for _ in range(sizes)))
    if not isinstance(state, tuple):
        state = (state,)
    again = pickle.loads(pickle.dumps(state))
    kept = copied(state) if hasattr(state, "_fields") else tuple(np.copy(each) for each in state)
    for one, two, three in zip(arrays_of(state), arrays_of(again), arrays_of(kept), strict=True):
        assert one.dtype == two.dtype == three.dtype
        assert one.tobytes() == two.tobytes() == three.tobytes()
        assert not np.shares_memory(one, three) or not one.size
    assert type(again) is type(state)


def arrays_of(value: Any) -> list[np.ndarray]:
    if isinstance(value, np.ndarray):
        return [value]
    return [array for each in value for array in arrays_of(each)] if isinstance(value, tuple) else []


@pytest.mark.parametrize("name", sorted(REACHED_THROUGH))
def test_an_exception_is_still_needed(name: str) -> None:
    direct = [file for file, (modules, _) in files_of_tests().items() if name in modules]
    assert not direct, f"{name} has tests of its own, in {direct}: take it out of REACHED_THROUGH"


def test_the_rules_see_what_they_should() -> None:
    tree = ast.parse(
        "from genesis.operators import hedge_ratio\nfrom genesis.operators.slicing.plans import plan"
    )
    assert imported(tree) == {"hedge_ratio", "slicing.plans"}
    assert len(KERNELS) > 50
    assert proofs_of("hedge_ratio").keys() >= {"test_hedge_ratio.py", "test_pairs_fold.py"}
