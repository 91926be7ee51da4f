"""From a click on a widget to its repainted picture: `python benchmarks/widget_click.py [--clicks N]`, with a display.

A check box of a script's dock, on a real server process, is clicked in the real window: from the release of the button
until the client has painted the other state. One box changes nothing else, the other one the picture of the scene too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ["NAPARI_CONFIG"] = ""  # the window's size is not for keeping
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

import napari_cuda
from served_script import run_script, wait_for
from surface_scripts import DUMP, Hands

SCRIPT = (
    DUMP
    + """
import napari, numpy as np
from qtpy.QtWidgets import *

viewer = napari.Viewer()
image = viewer.add_image(np.random.default_rng(1).random((512, 512)), name="image")
viewer.bind_key("g", dump)
box = QWidget()
rows = QVBoxLayout(box)
check, both, table = QCheckBox("only the widget"), QCheckBox("and the picture"), QTableWidget(30, 4)
both.toggled.connect(lambda on: setattr(image, "colormap", "magma" if on else "gray"))
for widget in (check, both, table):
    rows.addWidget(widget)
viewer.window.add_dock_widget(box, name="box")
napari.run()
"""
)


def clicks_ms(hands: Hands, widget: str, count: int) -> tuple[list[float], list[float]]:
    """Return how long each click took until the new picture of the widget was there, and until it was on the screen."""
    x, y, _width, height = hands.dump()["box"]["places"][widget]
    view, place = hands.view("box"), QPoint(x + 8, y + height // 2)
    hands.move(view, place)
    hands.settle()
    there, painted = [], []
    for _ in range(count):
        # The box looks pressed first; what is timed is the other half, with which it is checked.
        QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=place)
        hands.settle()
        before = view.image.copy(x, y, 24, height)
        began_s = time.perf_counter()
        QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=place)
        while view.image.copy(x, y, 24, height) == before:
            hands.viewer.pump(0.0005)
        there.append((time.perf_counter() - began_s) * 1e3)
        view.repaint()  # the whole window is composed anew, with its canvas: what that costs is OpenGL's affair
        painted.append((time.perf_counter() - began_s) * 1e3)
        hands.settle()
        hands.viewer.pump(0.15)
    return there, painted


def summary(taken: list[float]) -> dict[str, float]:
    """Return the middle and the end of some times."""
    taken = sorted(taken)
    return {
        "p50_ms": round(statistics.median(taken), 1),
        "p95_ms": round(taken[int(0.95 * (len(taken) - 1))], 1),
    }


def main() -> None:
    """Click, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "widgets.py").write_text(SCRIPT)
        with run_script(folder / "widgets.py", str(folder)) as server:
            viewer = napari_cuda.connect(server.connect_url, timeout_s=60)
            try:
                viewer.window.resize(1250, 950)
                wait_for(viewer, lambda: viewer.layers)
                hands = Hands(viewer, folder)
                hands.view("box")
                hands.settle()
                found = {}
                for widget in ("only the widget", "and the picture"):
                    there, painted = clicks_ms(hands, widget, options.clicks)
                    found[widget] = {"there": summary(there), "painted": summary(painted)}
                size = hands.view("box").image.size()
                print(json.dumps({"dock_px": [size.width(), size.height()], **found}))
            finally:
                viewer.close()


if __name__ == "__main__":
    main()
