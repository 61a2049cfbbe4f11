"""Pictures of reports, where matplotlib is installed; the same report gives the same file."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def drawn(path: Path, size: tuple[float, float], draw: Callable[["Figure"], None]) -> str:
    """Draw a figure of a size in inches into a file; return a sentence on it."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        return "No picture was drawn: matplotlib is not installed."
    with mpl.rc_context({"svg.hashsalt": "genesis", "svg.fonttype": "none"}):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(path, metadata={"Date": None})
    return f"The picture is {path}."
