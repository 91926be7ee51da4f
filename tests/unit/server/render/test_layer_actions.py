"""LayerActions: napari's own functions by name, a held one until it is released; anything else is refused."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels, Layer, Points, Shapes

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.layer_actions import LAYER_ACTIONS
from napari_cuda.server.data.jobs import Jobs
from napari_cuda.server.render.commands import Commands
from napari_cuda.server.render.layer_actions import LayerActions
from napari_cuda.server.render.napari_model import layer_action


class Stage:
    """A viewer with one layer of each kind that has actions."""

    def __init__(self) -> None:
        self.viewer = ViewerModel()
        self.viewer.add_layer(Labels(np.zeros((4, 4), int), name="labels"))
        self.viewer.add_layer(Points([[0, 0], [1, 1]], name="points"))
        self.viewer.add_layer(Shapes([[[0, 0], [2, 3]]], shape_type="rectangle", name="shapes"))
        self.viewer.add_image(np.zeros((4, 4)), name="image")
        self.edited: list[Layer] = []
        self.commands = Commands(
            self.viewer, lambda name: self.viewer.layers[name], Jobs(lambda call: call(), lambda viewer, update: None)
        )
        self.actions = LayerActions(self.commands, self.edited.append)

    def do(self, layer: str, action: str, viewer: str = "V1", **args: Any) -> dict[str, str]:
        return self.commands.run(viewer, m.Command(1, "layer.action", {"layer": layer, "action": action} | args))


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_an_action_acts_on_the_data_and_counts_as_an_edit(stage: Stage) -> None:
    labels = stage.viewer.layers["labels"]
    labels.fill((1, 1), 3)
    assert stage.do("labels", "undo") == {}
    assert not labels.data.any()
    assert stage.edited == [labels]


@pytest.mark.parametrize(
    ("layer", "action"),
    [("labels", "delete_selected_points"), ("image", "undo"), ("labels", "importlib"), ("labels", "MIN_BRUSH_SIZE")],
)
def test_what_is_not_in_the_table_is_refused(stage: Stage, layer: str, action: str) -> None:
    assert "no action" in stage.do(layer, action)["layer.action"]
    assert stage.edited == []


def test_what_a_held_key_does_lasts_until_it_is_released(stage: Stage) -> None:
    shapes: Any = stage.viewer.layers["shapes"]
    for end in (
        lambda: stage.do("shapes", "hold_to_lock_aspect_ratio", released=True),
        lambda: stage.actions.let_go("V1"),
    ):
        stage.do("shapes", "hold_to_lock_aspect_ratio")
        assert shapes._fixed_aspect
        stage.do("shapes", "hold_to_lock_aspect_ratio", "V2", released=True)
        stage.actions.let_go("V2")
        assert shapes._fixed_aspect
        end()
        assert not shapes._fixed_aspect


def test_every_action_of_the_table_is_a_function_of_napari() -> None:
    for kind, names in LAYER_ACTIONS.items():
        for name in names:
            parameters = list(inspect.signature(layer_action(kind, name)).parameters)
            assert parameters == ["layer"], name
