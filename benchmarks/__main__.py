"""`make bench`: runs the benchmarks and writes build/bench.json and the table in docs/performance.md.

make bench                         everything, the half hour of `memory` included
make bench ARGS='throughput feed'  only these
make bench ARGS='memory --minutes 2'
make bench ARGS=tilt-evaluation      the figures of docs/tilt.md; see its --help
"""

import argparse
import json
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "build" / "bench.json"
PAGE = ROOT / "docs" / "performance.md"
NAMES = (
    "throughput",
    "latency",
    "stalls",
    "release",
    "feed",
    "archive",
    "kernels",
    "slicing",
    "trading",
    "tilt",
    "dashboard",
    "memory",
)
BEGIN, END = "<!-- results: made by `make bench` -->", "<!-- end of results -->"


def main() -> None:
    """Run what was asked for and keep the results of the rest."""
    if sys.argv[1:2] == ["tilt-evaluation"]:
        import_module("benchmarks.tilt_evaluation").main(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], help="which benchmarks; none for all")
    parser.add_argument("--minutes", type=float, default=30.0, help="length of the memory benchmark")
    asked = parser.parse_args()
    results = _kept(asked.names or list(NAMES))
    for name in asked.names or NAMES:
        started_s = time.monotonic()
        print(f"{name} …", flush=True)
        run: Callable[..., list[dict[str, object]]] = import_module(f"benchmarks.{name}").run
        rows = run(asked.minutes) if name == "memory" else run()
        results += [{"group": name, "date": time.strftime("%Y-%m-%d"), **row} for row in rows]
        for row in rows:
            print("  " + _line(row), flush=True)
        print(f"  {time.monotonic() - started_s:.0f} s", flush=True)
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    ran = asked.names or NAMES
    _write_page([row for row in results if row["group"] in ran])


def _kept(replaced: list[str]) -> list[dict[str, object]]:
    if not RESULTS.exists():
        return []
    return [row for row in json.loads(RESULTS.read_text()) if row.get("group") not in replaced]


def _baseline(row: dict[str, object]) -> str:
    baseline = row.get("baseline")
    return f"{baseline:,.6g}" if isinstance(baseline, float | int) else str(baseline or "")


def _line(row: dict[str, object]) -> str:
    ratio = f"  ({row['ratio']:.3g} × the baseline {_baseline(row)})" if row.get("ratio") is not None else ""
    return f"{row['name']}: {row['value']:,.6g} {row['unit']}{ratio}"


def _machine() -> str:
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    cores = subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout.strip()
    model = found.group(1) if found else platform.processor()
    return f"{cores} cores, {model}, Python {platform.python_version()}"


def _write_page(results: list[dict[str, object]]) -> None:
    """Put the table between the marks of the page, so that text and figures cannot drift apart.

    Rows of groups that did not run stay as the page has them, with their dates.
    """
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    former, _, after = rest.partition(END)
    lines = [(str(row["group"]), _table_row(row)) for row in results] + [
        (name, line)
        for name in NAMES
        if not any(row["group"] == name for row in results)
        for line in former.splitlines()
        if line.startswith(f"| {name} |")
    ]
    rows = "\n".join(line for _, line in sorted(lines, key=lambda each: NAMES.index(each[0])))
    table = (
        f"{BEGIN}\n{_machine()}.\n\n"
        f"| group | what | figure | baseline | ratio | measured |\n|---|---|---:|---|---:|---|\n{rows}\n{END}"
    )
    PAGE.write_text(before + table + after)


def _table_row(row: dict[str, object]) -> str:
    return (
        f"| {row['group']} | {row['name']} | {row['value']:,.6g} {row['unit']} | "
        f"{_baseline(row)} | {'' if row.get('ratio') is None else format(row['ratio'], '.3g')} | "
        f"{row.get('date', 'earlier')} |"
    )


if __name__ == "__main__":
    main()
