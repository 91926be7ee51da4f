"""Do the gestures of `gestures.py` in a stock napari window: `stock_gestures.py OUT.json`, needs a display."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import napari
from napari.layers.labels import _labels_key_bindings
from napari.layers.points import _points_key_bindings
from napari.layers.shapes import _shapes_key_bindings
from qtpy.QtWidgets import QApplication
from vispy.util import keys

from gestures import CAMERA, CANVAS, GESTURES, SLICE, Gesture, Step, contents
from scenes import SCENES

EVENT_S = 0.012
"""napari's window drops moves that follow within 10 ms."""
ACTIONS = {"cells": _labels_key_bindings, "spots": _points_key_bindings, "outlines": _shapes_key_bindings}
MODIFIERS = {"shift": keys.SHIFT, "control": keys.CONTROL, "alt": keys.ALT}


class Stock:
    """A stock window, its canvas of the gestures' size."""

    def __init__(self) -> None:
        self.viewer = napari.Viewer()
        self.app = QApplication.instance()
        self.canvas = self.viewer.window._qt_viewer.canvas
        self.canvas.native.setFixedSize(*CANVAS)
        self.held: dict[str, Any] = {}
        self.settle()
        SCENES["tools"](self.viewer)

    def settle(self) -> None:
        for _ in range(5):
            self.app.processEvents()
            time.sleep(0.005)

    def do(self, gesture: Gesture) -> Any:
        layer = self.viewer.layers[gesture.layer]
        self.viewer.dims.ndisplay = gesture.ndisplay
        self.viewer.dims.set_point(0, SLICE)
        self.viewer.scene.camera.update(CAMERA)
        self.viewer.layers.selection.active = layer
        self.settle()
        for step in gesture.steps:
            self._do(layer, step)
        self.settle()
        return contents(layer)

    def _do(self, layer: Any, step: Step) -> None:
        match step:
            case ["set", attribute, value]:
                setattr(layer, attribute, value)
            case ["act", name]:
                held = getattr(ACTIONS[layer.name], name)(layer)
                if held is not None:
                    next(held)
                    self.held[name] = held
            case ["release key", name]:
                next(self.held.pop(name), None)
            case [action, x, y, button, buttons, modifiers]:
                native: Any = self.canvas.native
                deliver = getattr(native, f"_vispy_mouse_{'double_click' if action == 'double' else action}")
                facts = {} if action == "move" else {"button": button}
                deliver(
                    native=None,
                    pos=(x, y),
                    buttons=buttons,
                    modifiers=tuple(MODIFIERS[name] for name in modifiers),
                    **facts,
                )
                time.sleep(EVENT_S)
                self.app.processEvents()


def main(out: str) -> None:
    """Write what the layers hold after each gesture."""
    stock = Stock()
    Path(out).write_text(json.dumps({gesture.name: stock.do(gesture) for gesture in GESTURES}, indent=1))
    stock.viewer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
