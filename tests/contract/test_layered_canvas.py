"""Our canvas for many layers beside napari's own: the same scene graph, made once for many events."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import napari
import numpy as np
import pytest
from napari._vispy.canvas import VispyCanvas

from gl_window import open_viewer
from napari_cuda.layered_canvas import PRIVATE_NAMES, LayeredCanvas

UPGRADE = "napari changed: adapt src/napari_cuda/layered_canvas.py or pin the older version"


@pytest.fixture(autouse=True)
def no_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    """napari's own canvas looks for garbage at each removal, a second in a process of many tests."""
    monkeypatch.setattr(gc, "collect", lambda *_: 0)


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[napari.Viewer, napari.Viewer]]:
    """napari's window, and one whose canvas is ours."""
    stock, ours = open_viewer(), open_viewer()
    LayeredCanvas.take_over(ours.window._qt_viewer.canvas)
    yield stock, ours
    ours.window._qt_viewer.canvas.give_back()
    stock.close()
    ours.close()


@pytest.fixture
def empty(both: tuple[napari.Viewer, napari.Viewer]) -> tuple[napari.Viewer, napari.Viewer]:
    for viewer in both:
        viewer.canvas.grid.enabled = False
        viewer.layers.clear()
        canvas_of(viewer)
    return both


def canvas_of(viewer: napari.Viewer) -> Any:
    """Return the canvas of a window, up to date."""
    canvas = viewer.window._qt_viewer.canvas
    if isinstance(canvas, LayeredCanvas):
        canvas.catch_up()
    canvas.on_draw(None)
    if isinstance(canvas, LayeredCanvas):
        canvas.catch_up()
    return canvas


@pytest.mark.parametrize("name", PRIVATE_NAMES)
def test_name_exists(both: tuple[napari.Viewer, napari.Viewer], name: str) -> None:
    assert hasattr(both[0].window._qt_viewer.canvas, name), f"{name} is gone. {UPGRADE}"


def test_a_grid_made_smaller_keeps_what_is_drawn_in_all_cells(both: tuple[napari.Viewer, napari.Viewer]) -> None:
    """napari fails at it, in its own window too: should that be mended, so can be `_drop_overlays_without_cell`."""
    for viewer in both:
        viewer.canvas.grid.enabled, viewer.canvas.grid.shape = False, (-1, -1)
        viewer.layers.clear()
        for number in range(8):
            viewer.add_image(np.full((8, 9), number, np.uint8))
        viewer.scene.overlays["axes"].visible = viewer.canvas.grid.enabled = True
        canvas_of(viewer)
    stock, ours = both
    try:
        with pytest.raises(TypeError):
            stock.canvas.grid.shape = (2, 3)
        ours.canvas.grid.shape = (2, 3)
        ours.canvas.overlays["text"].visible = True
        shown = canvas_of(ours)._viewer_overlay_to_visual[ours.scene.overlays["axes"]]
        assert [place_of(canvas_of(ours), one.node.parent) for one in shown] == [1, 2, 3, 4, 5, 6]
    finally:
        for viewer in both:
            viewer.scene.overlays["axes"].visible = viewer.canvas.overlays["text"].visible = False
            viewer.canvas.grid.enabled, viewer.canvas.grid.shape = False, (-1, -1)


def place_of(canvas: Any, view: Any) -> Any:
    views = [canvas.view, *canvas.grid_views]
    return next((number for number, known in enumerate(views) if view in (known, known.scene)), None)


def graph(viewer: napari.Viewer) -> list[Any]:
    """Return what the canvas of a window draws, in the order of the layers."""
    canvas = canvas_of(viewer)
    seen: list[Any] = [canvas.grid.grid_size if viewer.canvas.grid.enabled else None]
    for layer in viewer.layers:
        visual = canvas.layer_to_visual[layer]
        overlays = {
            type(overlay).__name__: (
                shown.node.visible,
                place_of(canvas, shown.node.parent),
                np.round(getattr(shown.node.transform, "translate", np.zeros(4)), 3).tolist(),
            )
            for overlay, shown in canvas._layer_overlay_to_visual[layer].items()
        }
        state = dict(visual.node._vshare.gl_state)
        seen.append(
            (
                *(layer.name, visual.order, visual.first_visible, visual.node.visible, overlays, state),
                *(place_of(canvas, visual.node.parent), np.round(visual.node.transform.matrix, 6).tolist()),
            )
        )
    return seen


def hide(viewer: Any, number: int) -> None:
    viewer.layers[number].visible = not viewer.layers[number].visible


ACTIONS: list[Callable[[Any], object]] = [
    *(lambda v, n=n: v.add_image(np.full((8, 9), n, np.uint8), name=f"{n}", translate=(n, 0)) for n in range(5)),
    lambda v: v.layers.move(0, 4),
    lambda v: hide(v, 0),
    lambda v: setattr(v.layers[2], "blending", "additive"),
    lambda v: hide(v, 1),
    lambda v: setattr(v.layers[1]._overlays["layer_name"], "visible", True),
    lambda v: setattr(v.layers[3]._overlays["layer_name"], "visible", True),
    lambda v: setattr(v.layers[3], "units", ("um", "um")),
    lambda v: setattr(v.canvas.grid, "enabled", True),
    lambda v: hide(v, 0),
    lambda v: v.add_points([[1, 2]], name="points"),
    lambda v: setattr(v.canvas.grid, "stride", 2),
    lambda v: v.layers.pop(2),
    lambda v: v.layers.reverse(),
    lambda v: setattr(v.canvas.grid, "enabled", False),
    lambda v: setattr(v.layers, "selection", set(list(v.layers)[:3])),
    lambda v: v.layers.remove_selected(),
]


@pytest.mark.parametrize("together", [1, 4])
def test_the_canvas_is_what_napari_s_is(empty: tuple[napari.Viewer, napari.Viewer], together: int) -> None:
    stock, ours = empty
    for number, act in enumerate(ACTIONS):
        for viewer in empty:
            act(viewer)
        if number % together == together - 1:
            assert graph(ours) == graph(stock), f"after action {number}"
    assert graph(ours) == graph(stock)


def test_many_events_are_one_look_and_no_garbage_is_collected(
    empty: tuple[napari.Viewer, napari.Viewer], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, viewer = empty
    looks: list[str] = []
    for name in ("_setup_single_view", "_reorder_layers", "_update_viewer_overlays"):
        own = getattr(VispyCanvas, name)
        monkeypatch.setattr(
            LayeredCanvas, name, lambda self, name=name, own=own: (looks.append(name), own(self)), raising=False
        )
    monkeypatch.setattr(gc, "collect", lambda *_: looks.append("collect"))
    for number in range(8):
        viewer.add_image(np.zeros((4, 4)), name=f"{number}")
    for number in range(6):
        viewer.layers.move(0, 5)
        hide(viewer, number)
    for _ in range(3):
        viewer.layers.pop()
    assert not looks, "napari's canvas was made anew before it was to be drawn"
    canvas = viewer.window._qt_viewer.canvas
    assert canvas.catch_up()
    assert sorted(looks) == ["_reorder_layers", "_setup_single_view", "_update_viewer_overlays"]
    assert not canvas.catch_up(), "there is nothing left to do"


def test_only_what_moved_is_blended_anew(
    empty: tuple[napari.Viewer, napari.Viewer], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, viewer = empty
    for number in range(10):
        viewer.add_image(np.zeros((4, 4)), name=f"{number}")
    canvas = canvas_of(viewer)
    blended: list[str] = []
    for layer, visual in canvas.layer_to_visual.items():
        monkeypatch.setattr(visual, "_on_blending_change", lambda name=layer.name: blended.append(name))
    viewer.layers.move(4, 8)
    canvas.catch_up()
    assert not blended
    hide(viewer, 0)
    canvas.catch_up()
    assert sorted(blended) == ["0", "1"], "only the lowest of all visible layers is blended in another way"
