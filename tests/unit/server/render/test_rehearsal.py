"""Rehearsal: a layer action done to a copy, and carried over, leaves the list as the action itself does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from napari.components import LayerList
from napari.layers import Image, Labels

from napari_cuda.server.render.layer_commands import READS_DATA
from napari_cuda.server.render.napari_model import menu_actions
from napari_cuda.server.render.rehearsal import Rehearsal

ACTIONS = menu_actions()
PIXELS = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)


def stack() -> LayerList:
    layers = LayerList([Image(PIXELS, name="one"), Image(PIXELS[::-1], name="two"), Labels(PIXELS, name="three")])
    layers.selection = {layers[0]}
    layers.selection.active = layers[0]
    return layers


def pair() -> LayerList:
    layers = stack()
    layers.selection = {layers[0], layers[1]}
    return layers


def colours() -> LayerList:
    layers = LayerList([Image(np.zeros((4, 5, 3), np.uint8), rgb=True, name="rgb"), Image(PIXELS[0], name="other")])
    layers.selection = {layers[0]}
    layers.selection.active = layers[0]
    return layers


def labels() -> LayerList:
    layers = stack()
    layers.selection = {layers[2]}
    return layers


def channels() -> LayerList:
    layers = LayerList([Image(PIXELS[0], name=name, colormap=name) for name in ("red", "green", "blue")])
    layers.selection = set(layers)
    return layers


SCENES: dict[str, Callable[[], LayerList]] = {
    "split_rgb": colours,
    "merge_rgb": channels,
    "merge_stack": pair,
    "convert_to_image": labels,
}


def look(layers: LayerList) -> list[tuple[str, str, bytes, bool]]:
    return [(layer.name, type(layer).__name__, np.asarray(layer.data).tobytes(), layer in layers.selection)
            for layer in layers]  # fmt: skip


@pytest.mark.parametrize("action", sorted(READS_DATA))
def test_it_comes_out_as_the_action_itself(action: str) -> None:
    scene = SCENES.get(action.rpartition(".")[2], stack)
    directly, rehearsed = scene(), scene()
    before = look(directly)
    ACTIONS[action](directly)
    assert look(directly) != before, "the action has something to do"
    rehearsal = Rehearsal(rehearsed)
    ACTIONS[action](rehearsal)
    assert look(rehearsed) == before, "nothing happens to the list until the end"
    made = rehearsal.carry_over(rehearsed)
    assert made and all(layer in rehearsed for layer in made)
    assert look(rehearsed) == look(directly)


def test_what_was_done_meanwhile_stays() -> None:
    layers = stack()
    rehearsal = Rehearsal(layers)
    ACTIONS["napari.layer.convert_to_image"](rehearsal)
    layers.remove(layers[0])
    layers.insert(0, Image(PIXELS, name="new"))
    rehearsal.carry_over(layers)
    assert layers[0].name == "one"
    assert {"new", "two", "three"} <= {layer.name for layer in layers}
