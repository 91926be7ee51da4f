"""A real server of a scene of `scenes.py`, in a process of its own: `scene_server.py SCENE WIDTHxHEIGHT`.

What `napari-cuda serve` does, for a viewer model instead of files: files know no labels.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import napari_cuda
from napari_cuda.api import prepare_server_process
from napari_cuda.server_process import ServerProcess, end_with_stdin


class SceneServer(ServerProcess):
    """Serves a scene of `scenes.SCENES` on a canvas of `size` (width, height)."""

    def __init__(self, scene: str, size: tuple[int, int] = (1280, 720)) -> None:
        super().__init__([scene, f"{size[0]}x{size[1]}"], program=[__file__])

    def contents(self) -> dict[str, Any]:
        """Return what the layers hold on the server, by name, as `gestures.contents` tells it.

        Under "elements", by name, what their elements have for themselves, under "values" all their properties.
        """
        os.kill(self.pid, signal.SIGUSR1)
        assert self._process is not None and self._process.stdout is not None
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told


def main(scene: str, size: str) -> None:
    """Serve `scene` until interrupted; print one line of JSON, as `serve --announce json` does."""
    prepare_server_process()
    from napari.components import ViewerModel  # noqa: PLC0415 -- the environment comes first

    sys.path.insert(0, str(Path(__file__).parent))
    from gestures import all_contents  # noqa: PLC0415
    from napari_cuda.element_values import element_values  # noqa: PLC0415
    from napari_cuda.layer_state import layer_values  # noqa: PLC0415
    from scenes import SCENES  # noqa: PLC0415

    def announce(server: object) -> None:
        end_with_stdin(server.stop)
        print(server.announcement(), flush=True)

    width, height = (int(side) for side in size.split("x"))
    viewer = ViewerModel()
    SCENES[scene](viewer)

    def tell_contents(*_signal: object) -> None:
        elements = {
            layer.name: {name: array.tolist() for name, array in element_values(layer).items()}
            for layer in viewer.layers
        }
        values = {layer.name: layer_values(layer) for layer in viewer.layers}
        print(json.dumps(all_contents(viewer) | {"elements": elements, "values": values}), flush=True)

    signal.signal(signal.SIGUSR1, tell_contents)
    napari_cuda.serve(viewer, on_ready=announce, port=0, size=(width, height))


if __name__ == "__main__":
    main(*sys.argv[1:])
