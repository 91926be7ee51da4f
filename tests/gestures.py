"""Recorded gestures for napari's tools, and what stock napari's layers hold after each.

A gesture is a list of steps on one layer: ["set", attribute, value], ["act", napari's key action] and
["press" | "move" | "release" | "double", x, y, button, held buttons, modifiers] in pixels of `CANVAS`.
They are done one after the other, on the scene "tools". `stock_gestures.py` does them in a stock napari
window and writes `vectors/gestures.json`; any other napari must come to the same.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

CANVAS = (400, 300)
"""(width, height)"""
CAMERA = {"center": (0.0, 23.5, 31.5), "zoom": 5.0}
SLICE = 1
VECTORS = Path(__file__).parent / "vectors" / "gestures.json"

Step = list[Any]
Place = tuple[int, int]


@dataclass(frozen=True)
class Gesture:
    """What is done on one layer; `name` is unique."""

    what: str
    layer: str
    steps: list[Step]
    ndisplay: int = 2

    @property
    def name(self) -> str:
        """The layer and what is done."""
        return f"{self.layer}: {self.what}"


def drag(places: Iterable[Place], button: int = 1, modifiers: tuple[str, ...] = ()) -> list[Step]:
    """Press at the first place, go through all, let go at the last."""
    first, *rest = places
    held, mods = [button], list(modifiers)
    steps: list[Step] = [["move", *first, 0, [], mods], ["press", *first, button, held, mods]]
    steps += [["move", *place, 0, held, mods] for place in rest]
    return [*steps, ["release", *(rest or [first])[-1], button, [], mods]]


def clicks(places: Iterable[Place], button: int = 1) -> list[Step]:
    """Click at each place."""
    return [step for place in places for step in drag([place], button)]


def double(place: Place) -> list[Step]:
    """Click twice, as a window tells it."""
    return [*drag([place]), ["double", *place, 1, [1], []], ["release", *place, 1, [], []]]


def line(start: Place, end: Place, count: int) -> list[Place]:
    """Return `count` places from start to end."""
    return [(round(x), round(y)) for x, y in np.linspace(start, end, count)]


def curve(count: int) -> list[Place]:
    """Return a spiral around the canvas's middle."""
    turns = np.linspace(0, 4 * math.pi, count)
    return [(round(200 + 8 * t * math.cos(t)), round(150 + 8 * t * math.sin(t))) for t in turns]


def hover(places: Iterable[Place]) -> list[Step]:
    """Move without a button."""
    return [["move", *place, 0, [], []] for place in places]


def _labels() -> Iterator[Gesture]:
    def paint(name: str, *steps: Step, mode: str = "paint", ndisplay: int = 2, **values: Any) -> Gesture:
        settings = [["set", attribute, value] for attribute, value in (values | {"mode": mode}).items()]
        return Gesture(name, "cells", [*settings, *steps], ndisplay)

    yield paint("paint a spiral", *drag(curve(60)), selected_label=7, brush_size=3)
    yield paint("paint fast with a big brush", *drag(line((60, 40), (330, 260), 4)), selected_label=4, brush_size=9)
    yield paint("undo", ["act", "undo"])
    yield paint("redo", ["act", "redo"])
    yield paint("erase", *drag(line((330, 60), (60, 240), 25)), mode="erase", brush_size=5)
    yield paint("fill what hangs together", *clicks([(200, 150), (110, 80)]), mode="fill", selected_label=9)
    yield paint("fill all of a label", *clicks([(300, 200)]), mode="fill", selected_label=2, contiguous=False)
    yield paint("pick, then paint", *clicks([(110, 80)]), mode="pick")
    yield paint("paint what was picked", *drag(line((90, 250), (310, 250), 12)), brush_size=4)
    yield paint("keep other labels", *drag(line((60, 150), (340, 150), 20)), preserve_labels=True, selected_label=5)
    corners = [(100, 200), (160, 230), (220, 190), (180, 120)]
    moves = [step for corner in corners for step in (*hover([corner]), *drag([corner])[1:])]
    yield paint("polygon", *moves, *double((120, 140)), mode="polygon", selected_label=3, preserve_labels=False)
    yield paint("half a polygon, then reset", *moves[:6], ["act", "reset_polygon"], mode="polygon")
    yield paint("a polygon completed by a key", *moves, ["act", "complete_polygon"], mode="polygon", selected_label=8)
    around = [(round(200 + 60 * math.cos(a)), round(150 + 60 * math.sin(a))) for a in np.linspace(0, 6.2, 40)]
    yield paint("encircle and fill", *clicks(around[:1], button=2), *hover(around), selected_label=6, brush_size=2)
    yield paint("a new label", ["act", "new_label"], *drag(line((70, 70), (110, 70), 6)))
    yield paint("through all slices", *drag(line((250, 60), (300, 100), 8)), n_edit_dimensions=3, selected_label=1)
    yield paint("paint in 3D", *drag(line((180, 140), (230, 160), 8)), ndisplay=3, selected_label=11, brush_size=3)
    yield paint("fill in 3D", *clicks([(200, 150)]), mode="fill", ndisplay=3, selected_label=12)
    handles = {"resize": [(360, 270), (330, 250)], "rotate": [(200, 6), (280, 30)], "move": [(200, 150), (230, 140)]}
    for what, (start, end) in handles.items():
        yield paint(f"transform box: {what}", *drag(line(start, end, 9)), mode="transform", affine=np.eye(4).tolist())
    yield paint("the transform undone", mode="pan_zoom", affine=np.eye(4).tolist())


def _points() -> Iterator[Gesture]:
    def point(name: str, mode: str, *steps: Step) -> Gesture:
        return Gesture(name, "spots", [["set", "mode", mode], *steps])

    yield point("add points", "add", *clicks([(100, 100), (140, 200), (260, 120), (300, 220)]))
    yield point("select and move one", "select", *drag(line((100, 100), (120, 130), 9)))
    yield point("select by a box", "select", *drag(line((240, 100), (320, 240), 9)))
    yield point("move both", "select", *drag(line((260, 120), (250, 90), 7)))
    yield point("copy and paste", "select", ["act", "copy"], ["act", "paste"])
    yield point("add to the selection", "select", *drag([(140, 200)], modifiers=("shift",)))
    yield point("delete them", "select", ["act", "delete_selected_points"])
    yield point("select all, delete", "select", ["act", "select_all_in_slice"], ["act", "delete_selected_points"])
    yield point("add again", "add", *clicks([(90, 90), (200, 150)]))


def _shapes() -> Iterator[Gesture]:
    def shape(name: str, mode: str, *steps: Step) -> Gesture:
        return Gesture(name, "outlines", [["set", "mode", mode], *steps])

    yield shape("rectangle", "add_rectangle", *drag(line((60, 60), (130, 110), 12)))
    yield shape("ellipse", "add_ellipse", *drag(line((260, 60), (340, 130), 12)))
    yield shape(
        "square by shift",
        "add_rectangle",
        ["act", "hold_to_lock_aspect_ratio"],
        *drag(line((60, 200), (110, 260), 9), modifiers=("shift",)),
        ["release key", "hold_to_lock_aspect_ratio"],
    )
    yield shape("line", "add_line", *drag(line((150, 60), (230, 90), 9)))
    corners = [(160, 180), (210, 170), (240, 230), (190, 250)]
    steps = [step for corner in corners for step in (*hover([corner]), *drag([corner])[1:])]
    yield shape("polygon", "add_polygon", *steps, *double((160, 240)))
    path = [(280, 180), (320, 200), (300, 250)]
    steps = [step for corner in path for step in (*hover([corner]), *drag([corner])[1:])]
    yield shape("polyline, finished by a key", "add_polyline", *steps, ["act", "finish_drawing_shape"])
    yield shape("path by a drag", "add_path", *drag(line((60, 140), (140, 150), 15)))
    around = [(round(310 + 30 * math.cos(a)), round(90 + 30 * math.sin(a))) for a in np.linspace(0, 6, 20)]
    yield shape("lasso", "add_polygon_lasso", *drag(around))
    yield shape("select and move", "select", *drag(line((95, 85), (110, 95), 9)))
    yield shape("resize by a handle", "select", *drag(line((145, 120), (160, 130), 9)))
    yield shape("move a vertex", "direct", *drag(line((160, 130), (170, 150), 9)))
    yield shape("insert a vertex", "vertex_insert", *clicks([(110, 70)]))
    yield shape("remove a vertex", "vertex_remove", *clicks([(110, 70)]))
    yield shape("rotate by the handle", "select", *clicks([(100, 100)]), *drag(line((55, 100), (70, 60), 9)))
    on_the_path = [(80, 142), (118, 147)]
    yield shape("insert vertices of a path", "select", *clicks(on_the_path[:1]))
    yield shape("insert vertices of a path: there", "vertex_insert", *clicks(on_the_path))
    yield shape("remove vertices of a path", "vertex_remove", *clicks(on_the_path))
    yield shape("to the front", "select", *clicks([(200, 200)]), ["act", "move_shapes_selection_to_front"])
    yield shape("copy and paste", "select", ["act", "copy_selected_shapes"], ["act", "paste_shape"])
    yield shape("delete", "select", *clicks([(300, 90)]), ["act", "delete_selected_shapes"])


GESTURES = [*_labels(), *_points(), *_shapes()]


def contents(layer: Any) -> Any:
    """Return what a layer of labels, points or shapes holds, as JSON; of labels the counts and a hash of all pixels."""
    kind = type(layer).__name__
    if kind == "Labels":
        data = np.ascontiguousarray(layer.data)
        values, counts = np.unique(data, return_counts=True)
        histogram = {str(value): int(count) for value, count in zip(values, counts, strict=True)}
        pixels = {"histogram": histogram, "sha256": hashlib.sha256(data.tobytes()).hexdigest()}
        return {**pixels, "affine": np.asarray(layer.affine).tolist()}
    if kind == "Points":
        return np.asarray(layer.data).tolist()
    order = np.argsort(layer.z_index, kind="stable").tolist()
    return {"types": list(layer.shape_type), "order": order, "vertices": [np.asarray(v).tolist() for v in layer.data]}


def all_contents(viewer: Any) -> dict[str, Any]:
    """Return what a viewer's labels, points and shapes hold, by name."""
    kinds = ("Labels", "Points", "Shapes")
    return {layer.name: contents(layer) for layer in viewer.layers if type(layer).__name__ in kinds}


def stock_contents() -> dict[str, Any]:
    """Return what stock napari holds after each gesture, by name."""
    contents_by_name: dict[str, Any] = json.loads(VECTORS.read_text())
    return contents_by_name


def same(one: Any, other: Any) -> bool:
    """Return whether two contents are equal: pixels, types and orders exactly, coordinates to a billionth."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other)
