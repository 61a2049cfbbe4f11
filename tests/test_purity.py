"""Operators are pure: no clock, no input or output, no environment, no unseeded randomness."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OPERATORS = sorted((ROOT / "operators").rglob("*.py"))
PACKAGES = {"genesis.operators", "msgspec", "numba", "numpy"}  # what operators may import besides the stdlib
IMPURE = frozenset(
    """
    asyncio builtins concurrent ctypes fcntl getpass glob http importlib io locale logging mmap
    multiprocessing os pathlib platform queue random resource secrets select selectors shelve shutil
    signal socket sqlite3 ssl subprocess sys tempfile threading time urllib warnings
    """.split()  # noqa: SIM905
)
# Names whose value is another one at every call, or which touch the world, whatever they are called on.
IMPURE_CALLS = {
    "now",
    "today",
    "utcnow",
    "uuid1",
    "uuid4",
    "breakpoint",
    "eval",
    "exec",
    "input",
    "open",
    "print",
}


def impurities(source: str) -> list[str]:
    """Return what a pure module may not do, one sentence each."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [f"line {node.lineno}: imports {a.name}" for a in node.names if not allowed(a.name)]
        elif isinstance(node, ast.ImportFrom) and not allowed(node.module or "."):
            found.append(f"line {node.lineno}: imports {node.module}")
        elif isinstance(node, ast.Call):
            name, path = called(node.func), ast.unparse(node.func)
            seeded = name == "default_rng" and bool(node.args or node.keywords)
            if name in IMPURE_CALLS or ("random" in path.split(".") and not seeded):
                found.append(f"line {node.lineno}: calls {path}()")
    return found


def allowed(module: str) -> bool:
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return top not in IMPURE
    return any(module == name or module.startswith(f"{name}.") for name in PACKAGES)


def called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


@pytest.mark.parametrize("path", OPERATORS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_operators_are_pure(path: Path) -> None:
    assert not impurities(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path",
        "from os import environ",
        "import pandas",
        "from genesis.connectors import settings",
        "from . import records",
        "datetime.now(UTC)",
        "date.today()",
        "np.random.normal()",
        "np.random.default_rng()",
        "uuid.uuid4()",
        "print(1)",
    ],
)
def test_the_check_sees(source: str) -> None:
    assert len(impurities(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np",
        "from numpy.typing import NDArray",
        "from genesis.operators.records import RowSchema",
        "from datetime import UTC, datetime",
        "datetime.fromtimestamp(0, UTC)",
        "np.random.default_rng(7)",
        "rng.normal()",
    ],
)
def test_the_check_lets_pass(source: str) -> None:
    assert not impurities(source)
