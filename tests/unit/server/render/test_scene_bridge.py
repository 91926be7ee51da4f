"""SceneBridge: what it observes of a napari model."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

from napari_cuda.protocol.property import Scope
from napari_cuda.server.render import layer_reader
from napari_cuda.server.render.scene_bridge import SceneBridge


def test_a_layer_that_cannot_be_read_keeps_nothing_else_from_the_viewers(monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = ViewerModel()
    layers = [viewer.add_image(np.zeros((4, 5), np.uint8), name=name) for name in "abc"]
    bridge = SceneBridge(viewer, on_change=lambda: None)
    bridge.observe()
    read = layer_reader.layer_spec
    broken = layers[1]

    def layer_spec(layer: Layer, layer_id: str) -> object:
        if layer is broken:
            raise IndexError("colours and shapes came apart")
        return read(layer, layer_id)

    monkeypatch.setattr(layer_reader, "layer_spec", layer_spec)
    for layer in layers:
        layer.data = np.zeros((6, 7), np.uint8)
    viewer.layers.move(0, 3)
    with pytest.raises(IndexError):
        bridge.observe()
    seen = bridge.observe()
    assert sorted(state.spec.layer for state in seen.layers.values()) == ["L1", "L3"]
    assert all(state.spec.shape == [6, 7] for state in seen.layers.values())
    assert seen.scopes[Scope.SCENE]["order"] == ["L2", "L3", "L1"]
    assert seen.scopes[Scope.DIMS]["range"] == [[0.0, 5.0, 1.0], [0.0, 6.0, 1.0]]
    assert bridge.observe().layers == {}, "not looked at for ever"
    monkeypatch.undo()
    broken.data = np.zeros((6, 7), np.uint8)
    assert list(bridge.observe().layers) == ["L2"]
