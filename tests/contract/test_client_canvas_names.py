"""The private names of napari and vispy that the client's canvas adapter uses exist and mean what it thinks."""

from __future__ import annotations

import importlib
import inspect
import weakref
from collections.abc import Iterator
from operator import attrgetter

import napari
import pytest
from napari._vispy.layers.base import VispyBaseLayer
from napari._vispy.utils.visual import create_vispy_layer

from gl_window import open_viewer
from napari_cuda.client.qt.napari_adapter import PRIVATE_NAMES

UPGRADE = "napari or vispy changed: adapt src/napari_cuda/client/qt/napari_adapter.py or pin the older version"


@pytest.fixture(scope="module")
def viewer() -> Iterator[napari.Viewer]:
    viewer = open_viewer()
    yield viewer
    viewer.close()


@pytest.mark.parametrize("name", PRIVATE_NAMES)
def test_name_exists(viewer: napari.Viewer, name: str) -> None:
    if name.startswith("viewer."):
        owner, path = viewer, name.removeprefix("viewer.")
    else:
        module, _, path = name.partition(":")
        owner = importlib.import_module(module)
    try:
        attrgetter(path)(owner)
    except AttributeError as error:
        pytest.fail(f"{name} is gone ({error}). {UPGRADE}", pytrace=False)


def test_napari_draws_last_and_play_is_a_draw_callback(viewer: napari.Viewer) -> None:
    canvas = viewer.window._qt_viewer.canvas
    callbacks = canvas._scene_canvas.events.draw.callbacks
    assert callbacks[-1] == (weakref.ref(canvas), "on_draw"), UPGRADE
    assert (weakref.ref(canvas), "enable_dims_play") in callbacks, UPGRADE
    assert (weakref.ref(canvas._scene_canvas), "on_draw") in callbacks, UPGRADE


def test_update_pending_is_set_by_update_and_cleared_by_drawing(viewer: napari.Viewer) -> None:
    scene_canvas = viewer.window._qt_viewer.canvas._scene_canvas
    scene_canvas.update()
    assert scene_canvas._update_pending is True, UPGRADE
    scene_canvas.on_draw(None)
    assert scene_canvas._update_pending is False, UPGRADE


def test_visuals_are_made_as_the_null_visual_expects() -> None:
    assert list(inspect.signature(VispyBaseLayer.__init__).parameters) == ["self", "layer", "node", "font_info"], (
        UPGRADE
    )
    assert "layer_to_visual[cls](layer, *args, **kwargs)" in inspect.getsource(create_vispy_layer), UPGRADE
