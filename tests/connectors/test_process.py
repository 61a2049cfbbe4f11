"""Warming up happens in a child first, and what fails there is met here."""

import os
from pathlib import Path

import pytest

from genesis.connectors.process import warm_up


def test_kernels_are_compiled_in_a_child_that_is_gone_before_they_are_loaded_here(tmp_path: Path) -> None:
    def compile_kernels() -> None:
        (tmp_path / str(len(list(tmp_path.iterdir())))).write_text(str(os.getpid()))

    warm_up(compile_kernels)
    child, parent = (int((tmp_path / name).read_text()) for name in "01")
    assert parent == os.getpid()
    assert child != parent
    assert not Path(f"/proc/{child}").exists()


def test_what_fails_in_the_child_fails_here(capfd: pytest.CaptureFixture[str]) -> None:
    def compile_kernels() -> None:
        raise ValueError("no compiler")

    with pytest.raises(ValueError, match="no compiler"):
        warm_up(compile_kernels)
    assert capfd.readouterr() == ("", "")
