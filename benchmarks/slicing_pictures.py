"""The pictures of the study of slicing: what it saves, and how outcomes spread."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from benchmarks.slicing_runs import Costs
from genesis.operators.arrays import Floats

mpl.use("agg")
from matplotlib import pyplot as plt

ONE = "one market order"
COLOURS = ("#3b6e8f", "#8fb3c9", "#b5762a", "#e0b878")
STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "figure.facecolor": "white",
    "savefig.dpi": 130,
}


BOXES: dict[str, Any] = {
    "orientation": "horizontal",
    "whis": (5, 95),
    "showfliers": False,
    "widths": 0.55,
    "patch_artist": True,
    "medianprops": {"color": "#222222"},
}


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Software": None}, bbox_inches="tight")
    plt.close(figure)


def savings(
    study: dict[tuple[str, int], dict[str, Costs]],
    interval: Callable[[Floats], tuple[float, float]],
    path: Path,
) -> None:
    """Draw what each algorithm saves against one market order, with intervals, one panel a size."""
    titles, notionals = list(dict.fromkeys(k[0] for k in study)), sorted({k[1] for k in study})
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(notionals), figsize=(11, 4.6), sharey=True)
        for panel, notional in zip(axes, notionals, strict=True):
            methods = [name for name in study[titles[0], notional] if name != ONE]
            for row, title in enumerate(titles):
                costs = study[title, notional]
                for place, name in enumerate(methods):
                    saved = (costs[ONE].total("recorded") - costs[name].total("recorded")).mean(axis=1)
                    low, high = interval(saved)
                    at = len(methods) - place + 0.27 - 0.18 * row
                    panel.plot([low, high], [at, at], color=COLOURS[row], linewidth=1.6)
                    label = title if place == 0 else None
                    panel.plot(saved.mean(), at, "o", color=COLOURS[row], markersize=4, label=label)
            panel.axvline(0.0, color="#555555", linewidth=0.9)
            panel.set_title(f"${notional:,}", loc="left")
            panel.set_yticks(range(len(methods), 0, -1), methods)
            panel.grid(visible=False, axis="y")
        figure.supxlabel(
            "saved against one market order, bps: right of 0 slicing pays (95 % interval)", fontsize=9
        )
        figure.legend(
            *axes[0].get_legend_handles_labels(), loc="upper center", ncol=len(titles), frameon=False
        )
        _save(figure, path)


def outcomes(study: dict[tuple[str, int], dict[str, Costs]], path: Path) -> None:
    """Draw how the cost of single orders spreads, one panel an instrument, for the largest size."""
    largest = max(notional for _, notional in study)
    titles = list(dict.fromkeys(title for title, _ in study))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(titles), figsize=(11, 4.2), sharey=True)
        for panel, title in zip(axes, titles, strict=True):
            costs = study[title, largest]
            methods = list(costs)[::-1]
            drawn = [costs[name].total("recorded").ravel() for name in methods]
            boxes = panel.boxplot(drawn, **BOXES)
            for box in boxes["boxes"]:
                box.set(facecolor="#d5e3ec", edgecolor="#3b6e8f")
            means = [np.mean(each) for each in drawn]
            panel.plot(means, range(1, len(methods) + 1), "D", color="#b5762a", markersize=3.5)
            panel.set_yticks(range(1, len(methods) + 1), methods)
            panel.set_title(title, loc="left")
            panel.grid(visible=False, axis="y")
        what = (
            f"cost of one order of ${largest:,}, fees included, bps: quartiles, 5 % to 95 %, mean (diamond)"
        )
        figure.supxlabel(what, fontsize=9)
        _save(figure, path)
