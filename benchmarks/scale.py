"""What size costs: `scripts/with-display python benchmarks/scale.py [--layers N] [--scene NAME …]`.

Serves a million points, ten thousand shapes and many layers, and prints one line of JSON per scene: how long
it takes to connect and how big the snapshot is, and what a change costs until its ack (the picture comes after
it), and a look at what is under the cursor. Then CPU milliseconds of the GUI thread for adding a layer to the
napari window, a remote one and one of napari's own in turn: what a remote layer costs more than it is ours.
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

import numpy as np
from napari.layers import Image

import napari_cuda
from gl_window import open_viewer, process_until
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.mirror import remote_layers
from napari_cuda.client.qt.napari_adapter import register_null_visuals
from napari_cuda.layer_state import layer_spec, layer_values
from napari_cuda.protocol import messages as m
from raw_client import RawClient
from scene_server import SceneServer

REPEATS = 5


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
    """Return GUI-thread CPU per layer added to a window of up to `count`, remote and napari's own in turn."""
    register_null_visuals(remote_layers.REMOTE_CLASSES.values())
    viewer = open_viewer()
    samples: dict[str, list[float]] = {"stock": [], "remote": []}
    pictures = np.random.default_rng(0).integers(0, 256, (count, 24, 32), np.uint8)
    for number, picture in enumerate(pictures):
        kind = "remote" if number % 2 else "stock"
        own = Image(picture, name=f"image {number}")
        state = m.LayerState(layer_spec(own, f"L{number}"), layer_values(own))
        began_s = time.thread_time()
        viewer.add_layer(remote_layers.build(state) if kind == "remote" else Image(picture, name=f"image {number}"))
        samples[kind].append((time.thread_time() - began_s) * 1e3)
        process_until(lambda: True)
    viewer.close()
    last = count // 4
    return {"window_layers": count} | {f"{k}_ms": statistics.median(v[-last:]) for k, v in samples.items()}


def main() -> None:
    """Print a line of JSON per scene."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=60, help="layers in the window")
    parser.add_argument("--scene", nargs="*", default=["million points", "ten thousand shapes", "500 layers"])
    options = parser.parse_args()
    for scene in options.scene:
        print(json.dumps(of_scene(scene)), flush=True)
    print(json.dumps(of_window(options.layers)), flush=True)


if __name__ == "__main__":
    main()
