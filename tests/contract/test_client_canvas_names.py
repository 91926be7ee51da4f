"""The private names of napari and vispy that the client's canvas adapter uses exist and mean what it thinks."""

from __future__ import annotations

import importlib
import inspect
import weakref
from collections.abc import Iterator
from operator import attrgetter
from unittest.mock import patch

import napari
import pytest
from napari._app_model import get_app_model
from napari._qt.qt_viewer import QtViewer
from napari._vispy.layers.base import VispyBaseLayer
from napari._vispy.utils.visual import create_vispy_layer
from vispy.gloo import gl
from vispy.gloo.glir import GlirProgram

from gl_window import open_viewer
from napari_cuda.client.qt import many_layers, napari_adapter, null_visuals
from napari_cuda.client.qt.data_actions import FILE
from napari_cuda.client.qt.napari_adapter import fit_depth_after_dims, replace_commands

UPGRADE = "napari or vispy changed: adapt src/napari_cuda/client/qt/napari_adapter.py or pin the older version"


@pytest.fixture(scope="module")
def viewer() -> Iterator[napari.Viewer]:
    viewer = open_viewer()
    yield viewer
    viewer.close()


class OurViewer(napari.Viewer):
    """A class that is not of napari's modules: napari calls it after all that is."""


@pytest.fixture
def window_of_ours() -> Iterator[napari.Viewer]:
    viewer = OurViewer(show=False)
    fit_depth_after_dims(viewer)
    yield viewer
    viewer.close()


@pytest.mark.parametrize("name", napari_adapter.PRIVATE_NAMES + null_visuals.PRIVATE_NAMES + many_layers.PRIVATE_NAMES)
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


def test_vispy_remembers_the_current_program_where_it_is_told_that_there_is_none(viewer: napari.Viewer) -> None:
    program = GlirProgram.__new__(GlirProgram)
    known = program._parser = viewer.window._qt_viewer.canvas._scene_canvas.context.shared.parser
    program._handle = 12345
    known.env["current_program"] = 12345
    with patch.object(gl, "glUseProgram") as use:
        program.activate()
        assert not use.called, UPGRADE
        del known.env["current_program"]
        program.activate()
    assert use.call_args.args == (12345,), UPGRADE
    del known.env["current_program"]


def test_visuals_are_made_as_the_null_visual_expects() -> None:
    assert list(inspect.signature(VispyBaseLayer.__init__).parameters) == ["self", "layer", "node", "font_info"], (
        UPGRADE
    )
    assert "layer_to_visual[cls](layer, *args, **kwargs)" in inspect.getsource(create_vispy_layer), UPGRADE


def test_a_menu_s_command_is_replaced_for_one_window_only(
    viewer: napari.Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, command_id = get_app_model(), "napari.window.file.open_files_dialog"
    called: list[str] = []
    monkeypatch.setattr(QtViewer, "_qt_open", lambda self, names, **options: called.append("napari's"))
    monkeypatch.setattr(QtViewer, "_open_file_dialog_uni", lambda self, caption: ["x.tif"])
    replace_commands(viewer, {command_id: lambda: called.append("ours")})
    app.commands.execute_command(command_id).result()
    monkeypatch.setattr(napari, "current_viewer", lambda: None)
    app.commands.execute_command(command_id).result()
    assert called == ["ours", "napari's"], UPGRADE


def test_drops_and_dialogs_open_through_what_is_replaced(viewer: napari.Viewer) -> None:
    for function, names in (
        (QtViewer.dropEvent, ("_open_from_list_of_urls_data",)),
        (QtViewer._open_from_list_of_urls_data, ("_qt_open",)),
    ):
        assert set(names) <= set(function.__code__.co_names), UPGRADE
    for name in ("open_files_dialog", "open_files_as_stack_dialog", "open_folder_dialog", "save_layers_dialog"):
        assert FILE + name in get_app_model().commands, UPGRADE


def test_a_layer_of_more_dimensions_can_be_removed_from_a_window_of_ours(window_of_ours: napari.Viewer) -> None:
    window_of_ours.add_points(ndim=4)
    window_of_ours.add_points(ndim=3)
    window_of_ours.dims.ndisplay = 3
    window_of_ours.layers.pop(0)
    assert window_of_ours.dims.ndim == 3
    assert window_of_ours.window._qt_viewer.layers.model().rowCount() == 1, UPGRADE
