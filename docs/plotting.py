"""How pictures of operators are drawn: one style, one seed, the same bytes every time."""

import io
from collections.abc import Callable
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

SECOND_NS = 10**9
STYLE = {
    "svg.hashsalt": "genesis",  # the same ids every time
    "svg.fonttype": "none",  # text as text, which is small
    "path.simplify_threshold": 0.5,
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": mpl.cycler(color=["#1f1f1f", "#4c7a57", "#c08a2d", "#9a9a9a"]),
    "lines.linewidth": 1.0,
}


class Plot(NamedTuple):
    """A picture and what stands below it."""

    draw: Callable[[Axes], None]
    caption: str


def drawn(plot: Plot) -> bytes:
    """Return a picture as SVG, the same bytes every time on one machine."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 2.8), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        plot.draw(axes)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=8)
        held = io.BytesIO()
        figure.savefig(held, format="svg", metadata={"Date": None})
    return held.getvalue()


def rng_of(seed: int = 1) -> np.random.Generator:
    """Return the source of all chance in a picture."""
    return np.random.default_rng(seed)


def zeros(size: int) -> np.ndarray:
    """Return the slots of values that are all of one series."""
    return np.zeros(size, np.int64)
