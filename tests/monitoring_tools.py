"""Prometheus, Alertmanager and their tools from Debian's packages, unpacked under build/, never installed."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("prometheus", "prometheus-alertmanager")
PROGRAMS = ("promtool", "amtool", "prometheus", "prometheus-alertmanager")
FOLDER = ROOT / "build" / "monitoring"
TEMPLATES = b"/usr/share/prometheus/alertmanager"
"""Where Debian's Alertmanager looks for its templates; unpacked, it is to look where it is started."""

FETCH_TIMEOUT_S = 240
"""Longest for about 30 MB, or for the lists of packages."""


class ToolsUnavailable(RuntimeError):
    """Prometheus cannot be had on this machine; the message says what is missing and what to do."""


def tools(folder: Path = FOLDER) -> Path:
    """Return the folder of the programs, fetching them first if they are not there yet.

    Raises
    ------
    ToolsUnavailable
        When this is no Debian or Ubuntu, or the packages cannot be fetched.
    """
    programs = folder / "usr" / "bin"
    if all((programs / name).is_file() for name in PROGRAMS):
        return programs
    installed = [shutil.which(name) for name in PROGRAMS]
    if all(installed):
        return Path(str(installed[0])).parent
    without = f"install {' '.join(PROGRAMS)} so that they are on PATH"
    unpacked(PACKAGES, folder, "the alert rules are tried with Debian's Prometheus", without, _relocate)
    return programs


def unpacked(
    packages: Sequence[str],
    folder: Path,
    purpose: str,
    without: str = "run this on Debian or Ubuntu",
    finish: Callable[[Path], None] | None = None,
) -> None:
    """Fetch packages of Debian and unpack them into a folder, without installing anything.

    Parameters
    ----------
    packages
        Their names.
    folder
        Where they are afterwards, whole or not at all.
    purpose, without
        What they are for, and what to do where there is no apt-get, for the message.
    finish
        What is still done to the unpacked files before they are put into place.

    Raises
    ------
    ToolsUnavailable
        When this is no Debian or Ubuntu, or the packages cannot be fetched.
    """
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise ToolsUnavailable(f"{purpose}, and there is no apt-get here: {without}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}-partial-") as partial:
        _fetch(Path(partial), packages, purpose)
        for package in Path(partial).glob("*.deb"):
            _run(["dpkg", "-x", str(package), f"{partial}/unpacked"], Path(partial))
        if finish is not None:
            finish(Path(partial) / "unpacked")
        try:
            (Path(partial) / "unpacked").rename(folder)
        except OSError:  # another process was quicker
            if not folder.is_dir():
                raise


def templates(programs: Path) -> Path:
    """Return the folder that Alertmanager has to be started in."""
    return programs.parent / "share" / "prometheus" / "alertmanager"


def _relocate(unpacked_to: Path) -> None:
    """Write another path over the one that Alertmanager has compiled in, of the same length: ``./././…``."""
    program = unpacked_to / "usr" / "bin" / "prometheus-alertmanager"
    program.write_bytes(program.read_bytes().replace(TEMPLATES, b"./" * (len(TEMPLATES) // 2)))


def _fetch(folder: Path, packages: Sequence[str], purpose: str) -> None:
    """Download the packages; where the lists are missing or old, renew them once."""
    command = ["apt-get", "download", *packages]
    if not _run(command, folder):
        return
    _run(["apt-get", "update"], folder)
    said = _run(command, folder)
    if said:
        raise ToolsUnavailable(
            f"{purpose}, which cannot be fetched: {said} "
            f"(try: apt-get update && apt-get download {' '.join(packages)})"
        )


def _run(command: list[str], folder: Path) -> str:
    """Return what went wrong with a command, in a line; empty when nothing did."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = [line for line in done.stderr.splitlines() if line.startswith("E:")] or ["it failed"]
    return lines[0] if done.returncode else ""
