"""What size costs: `scripts/with-display python benchmarks/scale.py [--layers N …] [--scene NAME …]`; a few minutes.

Prints one line of JSON each:

1. a million points, ten thousand shapes, five hundred layers: how long it takes to connect without a window, the
   size of the snapshot, what a change costs until its ack (the picture comes after it), a look under the cursor;
2. N layers in napari's own window, and in ours: GUI-thread CPU milliseconds until the window has done all that an
   action makes it do (pictures drawn included), and the ratio. What napari itself takes is not ours to mend.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

os.environ["NAPARI_CONFIG"] = ""  # the window's size is not for keeping
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import napari_cuda
from gl_window import open_viewer
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.protocol import messages as m
from raw_client import RawClient
from scale_scenes import add_many_layers
from scene_server import SceneServer
from window_costs import REPEATS, actions_ms, settle


def acknowledged_ms(client: RawClient, changes: Iterable[m.Intent]) -> float:
    """Return the median time until the server says that a change is done; it may be drawing when it comes."""
    samples = []
    for change in changes:
        began_s = time.perf_counter()
        refused = client.refusals(change)
        samples.append((time.perf_counter() - began_s) * 1e3)
        assert not refused, refused
    return statistics.median(samples)


def changes_ms(client: RawClient) -> dict[str, float]:
    """Return what changes of the layers cost."""
    ids = [state.spec.layer for state in client.snapshot.layers]
    number = client.next_intent
    intents: dict[str, list[m.Intent]] = {
        "opacity_ms": [m.LayerIntent(number(), ids[0], {"opacity": 0.5 + n / 20}) for n in range(REPEATS)]
    }
    if len(ids) > 1:
        orders = [ids[n + 1 : len(ids) // 2] + ids[: n + 1] + ids[len(ids) // 2 :] for n in range(REPEATS)]
        intents["select_ms"] = [m.SceneIntent(number(), {"active": ids[n]}) for n in range(REPEATS)]
        intents["reorder_ms"] = [m.SceneIntent(number(), {"order": order}) for order in orders]
        intents["remove_ms"] = [m.Command(number(), "layer.remove", {"layer": ids[-1 - n]}) for n in range(REPEATS)]
    return {name: acknowledged_ms(client, changes) for name, changes in intents.items()}


def cursor_ms(viewer: RemoteViewer) -> float:
    """Return the median time until the status bar tells of a new place."""
    viewer.mouse_over_canvas = True
    samples = []
    for repeat in range(4 * REPEATS):
        viewer.sync(120)
        began_s = time.perf_counter()
        viewer.cursor.position = tuple(100.0 + 7 * repeat for _ in viewer.cursor.position)
        viewer.sync(120)
        samples.append((time.perf_counter() - began_s) * 1e3)
    return statistics.median(samples)


def of_scene(scene: str) -> dict[str, Any]:
    """Serve a scene and return what it costs."""
    with SceneServer(scene, (400, 300)) as server:
        with RawClient(server) as client:
            snapshot_bytes = len(m.encode(client.snapshot))
        began_s = time.perf_counter()
        with napari_cuda.connect(server.connect_url, window=False, timeout_s=300) as viewer:
            costs: dict[str, Any] = {"scene": scene, "snapshot_bytes": snapshot_bytes}
            costs["connect_s"] = time.perf_counter() - began_s
            viewer.layers.selection.active = viewer.layers[0]
            costs["cursor_ms"] = cursor_ms(viewer)
        with RawClient(server) as client:
            return costs | changes_ms(client)


def of_window(count: int) -> dict[str, Any]:
    """Return GUI-thread CPU milliseconds of a window of `count` layers: of each action, `[stock, ours, ratio]`."""
    own = open_viewer()
    began_s = time.thread_time()
    with own.layers.batched_update():  # one by one 500 layers take napari six minutes
        add_many_layers(own, count)
    settle(own)
    opened_ms = {"stock": (time.thread_time() - began_s) * 1e3}
    stock = actions_ms(own)
    own.close()
    with SceneServer(f"{count} layers", (400, 300)) as server:
        began_s = time.thread_time()
        viewer = napari_cuda.connect(server.connect_url, timeout_s=300)
        settle(viewer)
        opened_ms["ours"] = (time.thread_time() - began_s) * 1e3
        ours = actions_ms(viewer)
        viewer.close()
    costs: dict[str, Any] = {"window_layers": count, "open": compared(opened_ms["stock"], opened_ms["ours"])}
    for name in stock:
        costs[f"{name} returns"] = compared(stock[name][0], ours[name][0])
        costs[f"{name} done"] = compared(stock[name][1], ours[name][1])
    return costs


def compared(stock_ms: float, ours_ms: float) -> list[float]:
    """Return both, and how many times as much ours is."""
    return [round(stock_ms, 1), round(ours_ms, 1), round(ours_ms / stock_ms, 2)]


def load() -> float:
    """Return how many processes wanted to run in the last minute."""
    return round(os.getloadavg()[0], 1)


def main() -> None:
    """Print a line of JSON per scene and per window."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, nargs="*", default=[100], help="layers in the window: 100, 500")
    parser.add_argument("--scene", nargs="*", default=["million points", "ten thousand shapes", "500 layers"])
    options = parser.parse_args()
    for scene in options.scene:
        print(json.dumps({"load": load()} | of_scene(scene)), flush=True)
    for count in options.layers:
        print(json.dumps({"load": load()} | of_window(count)), flush=True)


if __name__ == "__main__":
    main()
