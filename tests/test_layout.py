"""The layout keeps its promises: packages listed and shipped, modules pure, examples true, files small."""

import ast
import doctest
import importlib
import itertools
import re
import shutil
import subprocess
import sys
import tokenize
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("cli", "connectors", "flows", "operators", "tui")
LINES_MAX = 450  # of a file
FUNCTION_LINES_MAX = 70  # of a function without its docstring
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("genesis", *parts)).removesuffix(".__init__")


SHIPPED = sources(*FOLDERS)
OURS = sources(*FOLDERS, "tests", "benchmarks", "docs", "docker", "ops")


def test_every_folder_with_python_files_is_a_listed_package() -> None:
    folders = {relative(path.parent) for path in SHIPPED}
    expected = {"genesis." + folder.replace("/", "."): folder for folder in folders}
    setuptools = PYPROJECT["tool"]["setuptools"]
    assert setuptools["package-dir"] == expected, "list it in [tool.setuptools.package-dir] of pyproject.toml"
    assert sorted(setuptools["packages"]) == sorted(expected), "list it in [tool.setuptools] packages"


def test_the_wheel_contains_every_module(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, tree)
    build = "import setuptools.build_meta as backend; backend.build_wheel('..')"
    subprocess.run([sys.executable, "-c", build], cwd=tree, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    shipped = set(zipfile.ZipFile(wheel).namelist())
    marks = {f"genesis/{folder}/py.typed" for folder in FOLDERS}
    missing = ({f"genesis/{relative(path)}" for path in SHIPPED} | marks) - shipped
    assert not missing, f"not in the wheel: {sorted(missing)}"
    assert any(name.endswith("/licenses/NOTICE") for name in shipped)


def docstrings_with_examples(path: Path) -> int:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = (
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, documented)
    )
    return sum(">>> " in (ast.get_docstring(node) or "") for node in nodes)


def run_examples(module: ModuleType) -> tuple[int, str]:
    """Run the examples of a module; return how many docstrings had some, and what failed."""
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    tests = [test for test in doctest.DocTestFinder(recurse=True).find(module) if test.examples]
    report: list[str] = []
    for test in tests:
        runner.run(test, out=report.append)
    return len(tests), "".join(report)


# By import under its one name, not by pytest's own doctest run, which would import each file a second time
# under another name and leave kernels of both in numba's cache.
@pytest.mark.parametrize("path", SHIPPED, ids=module_name)
def test_every_module_can_be_imported_and_its_examples_are_true(path: Path) -> None:
    if path.stem == "__main__":
        pytest.skip("runs when imported")
    module = importlib.import_module(module_name(path))
    found, failures = run_examples(module)
    assert not failures, failures
    assert found == docstrings_with_examples(path), "an example is in a place where doctest does not look"


@pytest.mark.parametrize("path", OURS, ids=relative)
def test_files_and_functions_are_short_and_every_todo_has_an_owner(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    assert lines <= LINES_MAX, f"{lines} lines; a file has up to {LINES_MAX}"
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = function.body[0]
        docstring = ast.get_docstring(function, clean=False) is not None
        size = (function.end_lineno or 0) - function.lineno + 1
        size -= ((first.end_lineno or 0) - first.lineno + 1) if docstring else 0
        assert size <= FUNCTION_LINES_MAX, (
            f"{function.name}: {size} lines; one has up to {FUNCTION_LINES_MAX}"
        )
    with tokenize.open(path) as file:
        comments = [t.string for t in tokenize.generate_tokens(file.readline) if t.type == tokenize.COMMENT]
    unowned = [each for each in comments if re.search(r"\b(TODO|FIXME|XXX)\b(?!\(#\d+\))", each)]
    assert not unowned, f"name the issue, as TODO(#12): {unowned}"


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"])
def test_lock_files_name_no_host_and_hash_everything(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if "://" in line or line.startswith("--")]
    for line, after in itertools.pairwise(lines):
        if "==" in line:
            assert "--hash=sha256:" in after, f"no hash for {line}"


def test_the_lock_files_satisfy_pyproject() -> None:
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    runtime = project["dependencies"] + extras["embedded"]
    build = PYPROJECT["dependency-groups"]["build"]
    wanted = {
        "requirements.lock": runtime,
        "requirements-dev.lock": runtime + extras["dev"] + build,
        "requirements-build.lock": build,
    }
    for name, requirements in wanted.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        for requirement in map(Requirement, requirements):
            versions = re.findall(rf"^{re.escape(requirement.name)}==(\S+)", text, re.MULTILINE)
            assert any(map(requirement.specifier.contains, versions)), (
                f"{name}: {requirement}; run `make lock`"
            )
