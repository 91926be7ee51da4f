"""LayerCommands: what a client may make of the layer list; nothing it sends harms the scene of the others."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image

from command_stage import CommandStage
from napari_cuda.client.net.array_stream import ArrayStream
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.commands import COMMANDS
from napari_cuda.protocol.layer_actions import LAYER_ACTIONS
from napari_cuda.protocol.properties import LAYER_KINDS
from napari_cuda.server.data.roots import ServedRoots
from napari_cuda.server.render.napari_model import menu_actions
from napari_cuda.server.scene.authority import SceneAuthority

NEW = "new-0123456789abcdef"


@pytest.fixture(scope="module")
def stage() -> Iterator[CommandStage]:
    """One for all: what is refused changes nothing."""
    stage = CommandStage()
    yield stage
    stage.jobs.close()


def packed(array: Any) -> dict[str, Any]:
    array = np.asarray(array)
    return {"dtype": array.dtype.str, "shape": list(array.shape), "data": base64.b64encode(array.tobytes()).decode()}


def new(kind: str, *arrays: Any, **spec: Any) -> dict[str, Any]:
    """Arguments of `layer.create`."""
    facts = {"layer": NEW, "kind": kind, "ndim": 2, "shape": [], "dtype": "", "extent": []} | spec
    sent = [array if isinstance(array, dict) else packed(array) for array in arrays]
    return {"state": {"spec": facts, "values": {}}, "index": 0, "arrays": sent}


TRIANGLE = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
HARMFUL = {
    "another's id": (new("points", layer="L1"), "is not an id that a client may give"),
    "no kind": (new("../x"), "no layers of kind"),
    "memory for 10⁹ dimensions": (new("points", ndim=10**9), "may have 1 to 16 dimensions"),
    "no dimension": (new("shapes", ndim=0), "may have 1 to 16 dimensions"),
    "2³² corners": (new("image", np.zeros((1,) * 32, np.uint8)), "may have 1 to 16 dimensions"),
    "objects": (new("image", {"dtype": "|O8", "shape": [1], "data": "AAAAAAAAAAA="}), "Expected `str` matching"),
    "a negative shape": (new("image", {"dtype": "|u1", "shape": [-1], "data": "AA=="}), "Expected `int` >= 0"),
    "a shape of more bytes": (new("image", {"dtype": "|u1", "shape": [9], "data": "AA=="}), "1 bytes are not an array"),
    "no pixels, yet wide": (new("labels", {"dtype": "|u1", "shape": [0, 2**31], "data": ""}), "that is not empty"),
    "points in infinity": (new("points", [[np.inf, 0.0]]), "must be finite"),
    "points farther than cameras see": (new("points", [[1e300, 0.0]]), "must be finite, and within"),
    "points nowhere": (new("points", [[np.nan, 0.0]]), "must be finite"),
    "points in a cube": (new("points", np.zeros((2, 2, 2))), "are in 2 axes"),
    "faces of other vertices": (new("surface", TRIANGLE, [[0, 1, 99]]), "no indices of its 3 vertices"),
    "faces before the first vertex": (new("surface", TRIANGLE, [[0, 1, -1]]), "no indices of its 3 vertices"),
    "too few values": (new("surface", TRIANGLE, [[0, 1, 2]], [1.0]), "one value for each of its 3"),
    "no mesh": (new("surface", TRIANGLE), "needs vertices, faces"),
}


@pytest.mark.parametrize("case", HARMFUL)
def test_a_layer_that_would_harm_the_scene_is_refused(stage: CommandStage, case: str) -> None:
    args, words = HARMFUL[case]
    before = list(stage.viewer.layers)
    reason = stage.do("layer.create", **args)
    assert words in reason
    assert "\n" not in reason
    assert list(stage.viewer.layers) == before


def test_what_is_well_made_is_added_under_its_id(stage: CommandStage) -> None:
    assert stage.do("layer.create", **new("surface", TRIANGLE, np.array([[0, 1, 2]], np.uint8), [1.0, 2.0, 3.0])) == ""
    assert stage.bridge.layer_id(stage.viewer.layers[0]) == NEW


def test_new_labels_that_no_memory_holds_are_refused_with_what_to_do(stage: CommandStage) -> None:
    before = list(stage.viewer.layers)
    wide = stage.viewer.add_points([[0, 0, 0, 0], [3e4, 3e4, 3e4, 3e4]])
    stage.viewer.layers.selection = {wide}
    reason = stage.do("layers.new_labels")
    assert "select a smaller layer alone (Unable to allocate" in reason
    assert "\n" not in reason
    stage.viewer.layers.remove(wide)
    assert list(stage.viewer.layers) == before


def test_a_large_layer_is_projected_by_a_job(stage: CommandStage) -> None:
    threads = []

    class Watched(np.ndarray):
        def max(self, *args: Any, **kwargs: Any) -> Any:
            threads.append(threading.current_thread())
            return super().max(*args, **kwargs)

    pixels = np.zeros((65, 1000, 1000), np.uint8).view(Watched)
    layer = stage.viewer.add_layer(Image(pixels, contrast_limits=(0, 255)))
    layer_id = stage.bridge.layer_id(layer)
    before = len(stage.viewer.layers)
    args = {"action": "napari.layer.project_max", "selection": [layer_id], "active": layer_id}
    assert stage.do("layers.menu_action", **args) == ""
    assert len(stage.viewer.layers) == before
    stage.run_posted()
    assert threads[0] is not threading.current_thread()
    made = stage.viewer.layers[-1]
    assert (made.data.shape, len(stage.viewer.layers)) == ((1000, 1000), before + 1)
    assert stage.told[-1][1].result == {"layers": [stage.bridge.layer_id(made)]}


# --- whatever anybody sends -----------------------------------------------------------------

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)
IDS = st.sampled_from([*(f"L{number}" for number in range(len(LAYER_KINDS) + 4)), NEW])
PLAUSIBLE: dict[str, st.SearchStrategy[Any]] = {
    "layer": IDS,
    "layers": st.lists(IDS, max_size=4),
    "selection": st.lists(IDS, max_size=4),
    "active": IDS,
    "action": st.sampled_from([*menu_actions(), *(name for names in LAYER_ACTIONS.values() for name in names)]),
    "attributes": st.lists(st.sampled_from(["opacity", "data", "__class__", "events"]), max_size=2),
    "mode": st.sampled_from(["canvas", "full"]),
    "bins": st.integers(0, 70_000),
    "state": st.builds(lambda kind: new(kind)["state"], st.sampled_from([*LAYER_KINDS, "x"])),
    "arrays": st.lists(st.builds(lambda shape: packed(np.ones(shape)), st.lists(st.integers(0, 4), max_size=4))),
    "shape_types": st.lists(st.sampled_from(["polygon", "path", "x"]), max_size=2),
    "index": st.integers(0, 10**20),
}
ON_DATA = sorted(name for name in COMMANDS if not name.startswith(("data.", "job.", "scene.")))


@st.composite
def wishes(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    name = draw(st.sampled_from(ON_DATA))
    args: dict[str, Any] = {}
    for field in COMMANDS[name].__struct_fields__:
        fits = draw(st.integers(0, 9)) and field in PLAUSIBLE
        args[field] = draw(PLAUSIBLE[field] if fits else JUNK)
    return name, args


@settings(max_examples=15)
@given(st.lists(wishes(), min_size=5, max_size=12))
def test_whatever_is_asked_for_is_done_or_refused_in_one_line(asked: list[tuple[str, dict[str, Any]]]) -> None:
    stage = CommandStage()
    authority = SceneAuthority()
    try:
        for name, args in asked:
            reason = stage.do(name, "V1", **args)
            assert "\n" not in reason
            for delta in authority.commit(stage.bridge.observe()):
                m.decode_server(m.encode(delta))
        # The session goes on.
        assert stage.do("layer.create", **new("points", [[1.0, 2.0]], layer="new-ffffffffffffffff")) == ""
    finally:
        stage.jobs.close()


@pytest.mark.parametrize(
    ("arguments", "arrays"),
    [
        (new("image", level_shapes=[[8, 8], [4, 4]]), [np.full((8, 8), 3, np.uint8), np.ones((4, 4), np.uint8)]),
        (new("labels", level_shapes=[]), [np.full((8, 8), 3)]),
        (new("shapes") | {"shape_types": ["polygon", "path"]}, [TRIANGLE, TRIANGLE + 5]),
        (new("surface"), [TRIANGLE, np.array([[0, 1, 2]]), np.ones(3)]),
        (new("points"), [TRIANGLE]),
    ],
    ids=["image of levels", "labels", "shapes", "surface", "points"],
)
def test_what_was_uploaded_becomes_a_layer_in_a_job(
    arguments: dict[str, Any], arrays: list[Any], tmp_path: Path
) -> None:
    stage = CommandStage(ServedRoots([tmp_path]))
    (tmp_path / "a").write_bytes(b"".join(ArrayStream(arrays).pieces(1000)))
    layers = len(stage.viewer.layers)
    arguments["state"]["values"] = {"name": "sent", "opacity": 0.25}
    assert stage.do("layer.create", **arguments, uploaded=str(tmp_path / "a")) == ""
    assert len(stage.viewer.layers) == layers, "not before it is read"
    stage.run_posted()
    assert stage.told[-1][1].state == "done", stage.told[-1][1].error
    assert stage.told[-1][1].result == {"layers": [NEW]}
    made: Any = stage.viewer.layers[0]
    assert (made.name, made.opacity, stage.bridge.layer_id(made)) == ("sent", 0.25, NEW)
    held = (
        list(made.data) if isinstance(made.data, (list, tuple)) or getattr(made, "multiscale", False) else [made.data]
    )
    assert all(np.array_equal(one, other) for one, other in zip(arrays, held, strict=True))
    stage.jobs.close()


@pytest.mark.parametrize(
    ("arguments", "arrays", "why"),
    [
        (new("image", level_shapes=[[8, 8], [4, 4]]), [np.ones((8, 8))], r"needs its pixels: 2 array\(s\)"),
        (new("image", level_shapes=[[8, 8], [4]]), [np.ones((8, 8)), np.ones(4)], "have the same dimensions"),
        (new("points"), [np.array([[np.inf, 0.0]])], "must be finite"),
        (new("surface"), [TRIANGLE, np.array([[0, 1, 9]])], "no indices of its 3 vertices"),
    ],
    ids=["too few levels", "levels of other dimensions", "points in infinity", "faces of nothing"],
)
def test_what_was_uploaded_is_looked_at_as_closely(
    arguments: dict[str, Any], arrays: list[Any], why: str, tmp_path: Path
) -> None:
    stage = CommandStage(ServedRoots([tmp_path]))
    (tmp_path / "a").write_bytes(b"".join(ArrayStream(arrays).pieces(1000)))
    layers = len(stage.viewer.layers)
    assert stage.do("layer.create", **arguments, uploaded=str(tmp_path / "a")) == ""
    stage.run_posted()
    assert stage.told[-1][1].state == "failed"
    assert re.search(why, stage.told[-1][1].error)
    assert stage.do("layer.create", **arguments, uploaded="/etc/passwd") == ""
    stage.run_posted()
    assert "outside the served roots" in stage.told[-1][1].error
    assert len(stage.viewer.layers) == layers
    stage.jobs.close()
