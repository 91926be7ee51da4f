"""A client in a process of its own: `client_process.py window|script URL`.

`window` opens the napari window as `napari-cuda connect` does, and the user closes it at once.
`script` pans until it is killed. Both print a line when pictures flow.
"""

from __future__ import annotations

import json
import math
import sys
import threading

import napari_cuda


def window(url: str) -> None:
    """Open and close a window; print what is left of it as one line of JSON."""
    import napari  # noqa: PLC0415 -- only this half needs Qt
    from qtpy.QtCore import QTimer  # noqa: PLC0415

    viewer = napari_cuda.connect(url, timeout_s=60)
    viewer.sync(60)
    print("streaming", flush=True)
    QTimer.singleShot(0, viewer.window._qt_window.close)
    napari.run()
    viewer.leave()
    ours = [thread.name for thread in threading.enumerate() if thread.name.startswith("napari-cuda")]
    print(json.dumps({"threads": ours}), flush=True)


def script(url: str) -> None:
    """Pan for ever."""
    with napari_cuda.connect(url, window=False, timeout_s=60) as viewer:
        viewer.sync(60)
        print("streaming", flush=True)
        number = 0
        while True:
            number += 1
            z, y, x = viewer.scene.camera.center
            viewer.scene.camera.center = (z, y + math.sin(number), x + math.cos(number))
            viewer.pump(0.02)


if __name__ == "__main__":
    {"window": window, "script": script}[sys.argv[1]](sys.argv[2])
