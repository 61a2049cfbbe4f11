"""The views: pure functions from model, choices and room to rows of coloured text."""

from genesis.tui.views.frame import Drawn, Scene, draw, drawn

__all__ = ["Drawn", "Scene", "draw", "drawn"]
