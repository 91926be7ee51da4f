"""Listeners: what is the user's, and what is napari's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Layer, Points
from napari.layers.points import _points_mouse_bindings

from napari_cuda.server.render.listeners import Listeners, is_own, own_keys


@pytest.fixture(autouse=True)
def napari_has_bound_its_keys() -> None:
    """What other tests of this process had napari bind is napari's own too."""
    own_keys.cache_clear()
    own_keys()


def callback(*_arguments: Any) -> None:
    """The user's."""


@pytest.fixture
def viewer() -> ViewerModel:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((4, 4)), name="picture")
    viewer.add_points(np.zeros((1, 2)), name="dots")
    return viewer


def name_of(layer: Layer) -> str:
    return str(layer.name)


def test_nobody_listens_to_anything_at_first(viewer: ViewerModel) -> None:
    wanted = Listeners(viewer).wanted(name_of)
    assert (wanted.keys, wanted.pointer) == ({}, [])


@pytest.fixture
def bound_class_key() -> Iterator[None]:
    Image.bind_key("q", callback)
    yield
    Image.bind_key("q", None)


@pytest.mark.usefixtures("bound_class_key")
def test_keys_of_viewer_layers_and_their_classes_are_found(viewer: ViewerModel) -> None:
    listeners = Listeners(viewer)
    viewer.bind_key("Control-G", callback)
    viewer.layers["dots"].bind_key("Shift-Up", callback)
    viewer.layers["dots"].bind_key("t", ...)
    assert listeners.wanted(name_of).keys == {"": ["Ctrl+G"], "picture": ["Q"], "dots": ["Shift+Up", "T"]}
    viewer.bind_key("Control-G", None)
    assert "" not in listeners.wanted(name_of).keys


def test_a_key_is_heard_by_the_viewer_and_the_active_layer(viewer: ViewerModel) -> None:
    listeners = Listeners(viewer)
    viewer.bind_key("g", callback)
    viewer.layers["picture"].bind_key("h", callback)
    viewer.layers.selection.active = viewer.layers["dots"]
    assert listeners.hears_key("G")
    assert not listeners.hears_key("H")
    viewer.layers.selection.active = viewer.layers["picture"]
    assert listeners.hears_key("H")
    assert not listeners.hears_key("Delete")


def test_a_key_that_napari_would_take_itself_is_not_the_user_s(viewer: ViewerModel) -> None:
    """As in a window, where the active layer comes before the viewer."""
    listeners = Listeners(viewer)
    viewer.bind_key("Control-C", callback)
    own = "Ctrl+C"
    assert own in map(str, Points.class_keymap)
    viewer.layers.selection.active = viewer.layers["dots"]
    assert not listeners.hears_key(own)
    viewer.layers.selection.active = viewer.layers["picture"]
    assert listeners.hears_key(own)


@pytest.mark.parametrize("kind", ["drag", "move", "wheel", "double"])
@pytest.mark.parametrize("of_layer", [True, False])
def test_callbacks_are_found(viewer: ViewerModel, kind: str, of_layer: bool) -> None:
    listeners = Listeners(viewer)
    owner = viewer.layers["dots"] if of_layer else viewer
    callbacks = getattr(owner, f"mouse_{kind.replace('double', 'double_click')}_callbacks")
    callbacks.append(callback)
    assert listeners.wanted(name_of).pointer == [kind]
    callbacks.remove(callback)
    assert listeners.wanted(name_of).pointer == []


def test_who_follows_the_cursor_hears_moves(viewer: ViewerModel) -> None:
    listeners = Listeners(viewer)
    viewer.cursor.events.position.connect(callback)
    assert listeners.wanted(name_of).pointer == ["move"]


def test_napari_s_own_callbacks_are_passed_over_only_while_asked(viewer: ViewerModel) -> None:
    listeners = Listeners(viewer)
    dots: Points = viewer.layers["dots"]
    dots.mouse_drag_callbacks.append(callback)
    dots.mode = "add"
    own = _points_mouse_bindings.add
    with listeners.without_own():
        assert list(dots.mouse_drag_callbacks) == [callback]
        dots.mode = "select"  # as a callback may
    assert callback in list(dots.mouse_drag_callbacks)
    assert own not in dots.mouse_drag_callbacks
    assert _points_mouse_bindings.select in list(dots.mouse_drag_callbacks)


def test_layers_that_come_later_are_looked_at_too(viewer: ViewerModel) -> None:
    listeners = Listeners(viewer)
    layer = viewer.add_labels(np.zeros((4, 4), int), name="late")
    layer.mouse_move_callbacks.append(callback)
    with listeners.without_own():
        assert list(layer.mouse_move_callbacks) == [callback]
    assert listeners.wanted(name_of).pointer == ["move"]


def test_what_is_napari_s_is_told_by_where_it_comes_from() -> None:
    assert is_own(_points_mouse_bindings.add)
    assert not is_own(callback)
    assert not is_own(lambda: None)
