"""napari's tools through the wire: what they leave is what they leave in stock napari."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gestures
from gestures import CAMERA, CANVAS, GESTURES, SLICE, Gesture, drag, same, stock_contents
from gl_window import require_display
from headless_process import run
from integration.conftest import Connect, Network, Serve
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.netsim import Link
from napari_cuda.protocol import messages as m
from scene_server import SceneServer


@pytest.fixture(scope="module")
def server(serve_scene: Serve) -> SceneServer:
    server = serve_scene("tools", size=CANVAS)
    assert isinstance(server, SceneServer)
    return server


def pointer(viewer: RemoteViewer, action: Any, x: int, y: int, button: int, buttons: list[int], held: Any) -> None:
    """Say what a window would of its pointer."""
    viewer._session.mirror.point(m.InputPointer(0, action, [x, y], list(CANVAS), button, buttons, held))


def begin(viewer: Any, gesture: Gesture) -> Any:
    """Show the gesture's layer as stock napari did; return it."""
    layer = viewer.layers[gesture.layer]
    viewer.dims.ndisplay = gesture.ndisplay
    viewer.dims.set_point(0, SLICE)
    viewer.scene.camera.update(CAMERA)
    viewer.layers.selection.active = layer
    return layer


def perform(viewer: RemoteViewer, gesture: Gesture) -> None:
    layer = begin(viewer, gesture)
    for step in gesture.steps:
        match step:
            case ["set", attribute, value]:
                setattr(layer, attribute, value)
            case ["act", name]:
                layer.act(name)
            case ["release key", name]:
                layer.act(name, released=True)
            case _:
                pointer(viewer, *step)
    viewer.sync()


def test_every_gesture_leaves_what_it_leaves_in_stock_napari(server: SceneServer, connect: Connect) -> None:
    viewer, stock = connect(server), stock_contents()
    assert list(stock) == [gesture.name for gesture in GESTURES], "run tests/stock_gestures.py again"
    for gesture in GESTURES:
        perform(viewer, gesture)
        found = server.contents()[gesture.layer]
        assert same(found, stock[gesture.name]), f"{gesture.name}: {found}"


def test_a_tool_acts_on_the_slice_that_the_user_has_gone_to(server: SceneServer, connect: Connect) -> None:
    """The slider moves and the hand presses before the slice is there: it takes that slice's point, and no other."""
    viewer = connect(server)
    begin(viewer, Gesture("", "column", [])).mode = "select"
    viewer.sync()
    for z in (3, 0, 2, 1):
        viewer.dims.set_point(0, z)
        for step in drag([(92, 82), (117, 82), (142, 82)])[1:]:
            pointer(viewer, *step)
    viewer.sync()
    assert np.allclose(server.contents()["column"], [[z, 10, 20] for z in range(4)])


@pytest.mark.slow
def test_the_recorded_contents_are_those_of_stock_napari(tmp_path: Path) -> None:
    require_display()
    script, out = Path(gestures.__file__).parent / "stock_gestures.py", tmp_path / "contents.json"
    done = run(["env", f"NAPARI_CONFIG={tmp_path / 'desktop.yaml'}", sys.executable, str(script), str(out)])
    assert done.returncode == 0, done.stderr[-3000:]
    recorded, found = stock_contents(), json.loads(out.read_text())
    assert [name for name in recorded if not same(recorded[name], found.get(name))] == []


def test_one_hand_at_a_time_and_a_lost_connection_lets_go(
    server: SceneServer, connect: Connect, network: Network
) -> None:
    """A press by another is refused with one line; when the first is cut off in mid-drag, the other may draw."""
    way = network(server, Link())
    first, second = connect(way), connect(server)
    refused: list[str] = []
    second._session.loop._host.notify = refused.append
    layer = begin(first, GESTURES[0])
    layer.mode, layer.brush_size = "paint", 1
    layer.selected_label = 77
    first.sync()
    pointer(first, "press", 100, 100, 1, [1], [])
    pointer(first, "move", 120, 100, 0, [1], [])
    first.sync()
    drawn = server.contents()["cells"]["histogram"]["77"]
    pointer(second, "press", 300, 200, 1, [1], [])
    pointer(second, "move", 320, 200, 0, [1], [])
    pointer(second, "release", 320, 200, 1, [], [])
    second.sync()
    assert server.contents()["cells"]["histogram"]["77"] == drawn
    assert len(refused) == 1 and "another viewer" in refused[0]
    way.cut()
    while refused:  # until the server has noticed
        refused.clear()
        pointer(second, "press", 300, 200, 1, [1], [])
        pointer(second, "move", 320, 200, 0, [1], [])
        pointer(second, "release", 320, 200, 1, [], [])
        second.sync()
    assert server.contents()["cells"]["histogram"]["77"] > drawn
    way.restore()
    first.sync(60)
    after = server.contents()["cells"]
    pointer(first, "move", 140, 140, 0, [1], [])  # the rest of the drag: its press was given up
    pointer(first, "release", 140, 140, 1, [], [])
    first.sync()
    assert server.contents()["cells"] == after
    second.layers["cells"].undo()
    second.layers["cells"].undo()
    second.sync()
    assert "77" not in server.contents()["cells"]["histogram"], "the stroke that was cut off is one that can be undone"
