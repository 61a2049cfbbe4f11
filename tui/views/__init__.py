"""The views: pure functions from model, choices and room to rows of coloured text."""

from genesis.tui.views.frame import Scene, draw

__all__ = ["Scene", "draw"]
