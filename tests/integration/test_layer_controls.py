"""napari's own panel of every kind of layer, in the real window: each control moved once, and the server follows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox

import napari_cuda
from integration.conftest import Serve, connected_window
from napari_cuda import conversion
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.protocol.properties import layer_properties
from napari_cuda.server_process import ServerProcess

WITHIN_S = 20.0

EVERY = {
    "opacity_slider": "opacity",
    "blend_combobox": "blending",
    "transform_button": "mode",
    "panzoom_button": "mode",
}
INTENSITY = {
    "contrast_limits_slider": "contrast_limits",
    "auto_scale_buttons.auto_btn": "auto_contrast",
    "gamma_slider": "gamma",
    "colormap_combobox": "colormap",
    "projection_combobox": "projection_mode",
}
CONTROLS: dict[str, dict[str, str]] = {
    "image": INTENSITY
    | {
        "interpolation_combobox": "interpolation2d",
        "depiction_combobox": "depiction",
        "plane_thickness_slider": "plane.thickness",
        "render_combobox": "rendering",
        "iso_threshold_slider": "iso_threshold",
        "attenuation_slider": "attenuation",
    },
    "labels": {
        "colormap_update": "colormap",
        "pick_button": "mode",
        "paint_button": "mode",
        "polygon_button": "mode",
        "fill_button": "mode",
        "erase_button": "mode",
        "selection_spinbox": "selected_label",
        "brush_size_slider": "brush_size",
        "render_combobox": "rendering",
        "iso_gradient_combobox": "iso_gradient_mode",
        "contour_spinbox": "contour",
        "ndim_spinbox": "n_edit_dimensions",
        "contiguous_checkbox": "contiguous",
        "preserve_labels_checkbox": "preserve_labels",
        "selected_color_checkbox": "show_selected_label",
    },
    "points": {
        "select_button": "mode",
        "addition_button": "mode",
        "projection_combobox": "projection_mode",
        "size_slider": "current_size",
        "symbol_combobox": "current_symbol",
        "face_color_edit": "current_face_color",
        "border_color_edit": "current_border_color",
        "text_disp_checkbox": "text.visible",
    },
    "shapes": {
        **dict.fromkeys(
            (
                *("select_button", "direct_button", "rectangle_button", "ellipse_button", "line_button"),
                *("polyline_button", "path_button", "polygon_button", "polygon_lasso_button"),
                *("vertex_insert_button", "vertex_remove_button"),
            ),
            "mode",
        ),
        "face_color_edit": "current_face_color",
        "edge_width_slider": "current_edge_width",
        "edge_color_edit": "current_edge_color",
        "text_disp_checkbox": "text.visible",
    },
    "surface": INTENSITY | {"shading_combobox": "shading"},
    "tracks": {
        "color_by_combobox": "color_by",
        "colormap_combobox": "colormap",
        "tail_width_slider": "tail_width",
        "tail_length_slider": "tail_length",
        "head_length_slider": "head_length",
        "tail_checkbox": "display_tail",
        "id_checkbox": "display_id",
        "graph_checkbox": "display_graph",
        "hide_completed_tracks_checkbox": "hide_completed_tracks",
    },
    "vectors": {
        "width_spinbox": "edge_width",
        "length_spinbox": "length",
        "projection_combobox": "projection_mode",
        "vector_style_combobox": "vector_style",
        "edge_color_edit": "edge_color",
        "color_mode_combobox": "edge_color_mode",
    },
}
"""Control → the row of the property table that it sets."""

AT_THE_END = ("auto_scale_buttons.auto_btn", "ndim_spinbox", "color_mode_combobox", "panzoom_button")
ASK_THE_SERVER = {"delete_button", "move_front_button", "move_back_button", "new_label_button"}
SHOW_SOMETHING_HERE = {"histogram_button", "colorbar_label"}
WITHOUT_CHOICE_HERE = {
    "level_combobox",  # no levels
    "color_mode_combobox",  # of labels: disabled, the colormap says it
    "color_feature_box",  # hidden unless colours come from features
}


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> ServerProcess:
    return serve_scene("properties", size=(200, 150))


@pytest.fixture(scope="module")
def window(server: ServerProcess) -> Iterator[StreamedViewer]:
    with connected_window(server) as viewer:
        yield viewer


@pytest.fixture(scope="module")
def there(server: ServerProcess) -> Iterator[RemoteViewer]:
    """Another client, that sees what the server has."""
    with napari_cuda.connect(server.connect_url, window=False, timeout_s=60) as viewer:
        yield viewer


def widgets_of(panel: Any) -> dict[str, Any]:
    """What a panel consists of, by the names of napari's attributes."""
    groups = [panel, *(value for name, value in vars(panel).items() if name.endswith(("_control", "_controls")))]
    return {name: widget for group in groups for name, widget in vars(group).items()}


def move(control: Any) -> None:
    """Move a control to another of its values, as a hand does."""
    if isinstance(control, QComboBox):
        control.setCurrentIndex((control.currentIndex() + 1) % control.count())
    elif isinstance(control, QAbstractButton):
        control.click()
    elif hasattr(control, "setColor"):
        control.setColor((0.0, 1.0, 0.0, 1.0))
    elif isinstance(control.value(), tuple):
        low, high = control.value()
        control.setValue((low + (high - low) / 4, high - (high - low) / 4))
    else:
        low, high, value = control.minimum(), control.maximum(), control.value()
        near = type(value)((low + min(high, low + 10)) / 2)
        control.setValue(next(other for other in (near, low, high) if other != value))


def rounds(controls: dict[str, str]) -> Iterator[dict[str, str]]:
    """Yield rows and controls: each row once in a round, and those that change what others set at the end."""
    left = [path for path in controls if path not in AT_THE_END]
    while left:
        now = {controls[path]: path for path in left}
        left = [path for path in left if path not in now.values()]
        yield now
    yield from ({controls[path]: path} for path in AT_THE_END if path in controls)


@pytest.mark.parametrize("kind", CONTROLS)
def test_each_control_is_followed_by_the_server(window: StreamedViewer, there: RemoteViewer, kind: str) -> None:
    layer: Any = window.layers[kind]
    window.layers.selection.active = layer
    widgets = widgets_of(window.window._qt_viewer.controls.widgets[layer])
    notifications = len(notification_manager.records)
    rows, target = layer_properties(kind), f"layer:{layer.remote_id}"
    for names in rounds(EVERY | CONTROLS[kind]):
        before = {name: conversion.read(layer, rows[name]) for name in names}
        for name, path in names.items():
            widget, _, part = path.partition(".")
            move(getattr(widgets[widget], part) if part else widgets[widget])
            assert conversion.read(layer, rows[name]) != before[name], f"{path} does not set {name}"
        window.sync(30)
        values = {name: conversion.read(layer, rows[name]) for name in names}
        control = there._session.loop.state.control
        assert there._session._host.wait_until(
            lambda values=values, control=control: values.items() <= control.known(target).items(), WITHIN_S
        ), f"{values} here, on the server {control.known(target)}"
        assert not [name for name in names if values[name] == before[name]], "set back"
    assert [str(record) for record in notification_manager.records[notifications:]] == []


@pytest.mark.parametrize("kind", CONTROLS)
def test_no_control_is_forgotten(window: StreamedViewer, kind: str) -> None:
    layer: Any = window.layers[kind]
    window.layers.selection.active = layer
    widgets = widgets_of(window.window._qt_viewer.controls.widgets[layer])
    kinds = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox)
    controls = {name for name, widget in widgets.items() if isinstance(widget, kinds)}
    known = {path.partition(".")[0] for path in EVERY | CONTROLS[kind]}
    forgotten = controls - known - ASK_THE_SERVER - SHOW_SOMETHING_HERE - WITHOUT_CHOICE_HERE
    assert not forgotten


def test_a_button_of_a_panel_is_for_its_own_layer_only(window: StreamedViewer, monkeypatch: pytest.MonkeyPatch) -> None:
    """With many layers the panel of the layer that was active before is there for a moment; napari acts on both."""
    raised: list[object] = []
    monkeypatch.setattr(sys, "excepthook", lambda _kind, error, _trace: raised.append(error))
    points, labels = window.layers["points"], window.layers["labels"]
    window.layers.selection.active = labels
    labels.mode, points.mode = "paint", "pan_zoom"
    panel = window.window._qt_viewer.controls.widgets[points]
    panel.addition_button.click()
    panel.delete_button.click()
    window.sync(30)
    assert (points.mode, labels.mode) == ("add", "paint")
    assert not raised
