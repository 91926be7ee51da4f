"""Docks of widgets on the server: floated, moved, put on each other, closed and opened; on a dense screen, too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor, QImage
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDockWidget

from integration.conftest import connected_window
from integration.test_window import qt
from napari_cuda.client.qt.surface_view import SurfaceView
from served_script import run_script, wait_for
from surface_scripts import DUMP, Hands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # `test_surfaces.py` tries the main things quickly

SCRIPT = (
    DUMP
    + """
import napari, numpy as np
from qtpy.QtWidgets import *
viewer = napari.Viewer()
image = viewer.add_image(np.arange(64.0).reshape(8, 8), name="image")
viewer.bind_key("g", dump)
for name in ("box", "second"):
    box = QWidget()
    rows = QFormLayout(box)
    widgets = {"combo": QComboBox(), "line": QLineEdit(), "list": QListWidget()}
    for kind, widget in widgets.items():
        widget.setObjectName(kind)
        rows.addRow(kind, widget)
    widgets["combo"].addItems(["gray", "magma", "viridis"])
    widgets["combo"].currentTextChanged.connect(lambda text: setattr(image, "colormap", text))
    widgets["list"].addItems([f"row {number}" for number in range(30)])
    widgets["line"].setToolTip("what is written here")
    viewer.window.add_dock_widget(box, name=name, area="right", tabify=name == "second")
napari.run()
"""
)


@pytest.fixture(scope="module")
def hands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hands]:
    folder = tmp_path_factory.mktemp("docks")
    (folder / "docks.py").write_text(SCRIPT)
    with run_script(folder / "docks.py", str(folder)) as server, connected_window(server) as viewer:
        viewer.window.resize(700, 500)
        yield Hands(viewer, folder)


def dock_of(hands: Hands, title: str = "box") -> QDockWidget:
    dock = hands.view(title).parent()
    assert isinstance(dock, QDockWidget)
    return dock


def fits(hands: Hands, title: str = "box") -> SurfaceView:
    """Return a view once the widget fills it, pixel for pixel."""
    view = hands.view(title)
    ratio = view.devicePixelRatioF()
    assert ratio == float(os.environ.get("QT_SCALE_FACTOR", "1"))

    def filled() -> bool:
        whole = (round(ratio * view.width()), round(ratio * view.height()))
        sizes = view.about.size, (view.image.width(), view.image.height())
        return sizes == ((view.width(), view.height()), whole)

    wait_for(hands.viewer, filled)
    assert ratio != 1 or hands.same_as_there(title)
    return view


def on_screen(view: SurfaceView) -> QImage:
    """Return what the screen has where a view is."""
    screen, corner = view.screen(), view.mapToGlobal(QPoint())
    assert screen is not None
    there = screen.grabWindow(0, corner.x(), corner.y(), view.width(), view.height())
    return there.toImage().convertToFormat(QImage.Format.Format_RGB32)


def same(found: QImage, expected: QImage) -> bool:
    """Return whether two pictures are so pixel for pixel, whatever screen they are for."""
    for picture in (found, expected):
        picture.setDevicePixelRatio(1)
    return found == expected


def test_a_dock_floats_with_the_room_that_it_is_given(hands: Hands) -> None:
    dock = dock_of(hands)
    dock.setFloating(True)
    dock.move(20, 20)
    fits(hands)
    dock.resize(300, 340)
    view = fits(hands)
    assert 290 <= view.width() <= 300 and 300 <= view.height() < 340
    wait_for(hands.viewer, lambda: same(on_screen(view), view.image.copy()))


def test_pop_ups_of_one_that_floats_are_at_their_place_and_leave_nothing_lit(hands: Hands) -> None:
    view = hands.view("box")
    line = hands.place("box", "line")
    hands.move(view, line)
    hands.settle()
    x, y, width, height = hands.rectangle("box", "combo")
    hands.click("box", "combo")
    popup = hands.view(kind="popup")
    corner = view.mapFromGlobal(popup.mapToGlobal(QPoint()))
    assert (corner.x(), corner.y()) == popup.about.position
    assert abs(corner.x() - x) < 4 and abs(popup.width() - width) < 8 and y - popup.height() < corner.y() <= y + height
    wait_for(hands.viewer, lambda: same(on_screen(popup), popup.image.copy()))
    QTest.keyClick(popup, Qt.Key.Key_Down)
    QTest.keyClick(popup, Qt.Key.Key_Return)
    wait_for(hands.viewer, lambda: hands.viewer.layers[0].colormap.name == "magma")
    hands.gone("popup")
    hands.choose("box", "combo", 0)
    hands.move(view, line)

    def color(row: int) -> QColor:
        ratio = view.devicePixelRatioF()
        return view.image.pixelColor(round(ratio * (x + width - 50)), round(ratio * row))

    wait_for(hands.viewer, lambda: color(y + height // 2) == color(line.y()))  # or it is lit, as under the pointer
    tip = hands.view(kind="tooltip")
    below = tip.mapToGlobal(QPoint()) - view.mapToGlobal(line)
    assert 0 <= below.x() < 30 and 0 <= below.y() < 40
    hands.move(view, hands.place("box", "list"))
    hands.gone("tooltip")


def test_it_is_put_elsewhere_and_on_another_one(hands: Hands) -> None:
    window, dock = qt(hands.viewer).window(), dock_of(hands)
    dock.setFloating(False)
    fits(hands)
    for area in (Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.BottomDockWidgetArea):
        window.addDockWidget(area, dock)
        fits(hands)
        assert window.dockWidgetArea(dock) == area
    second = dock_of(hands, "second")
    window.tabifyDockWidget(second, dock)
    for one, title in ((dock, "box"), (second, "second")):
        one.raise_()
        view = fits(hands, title)
        assert not view.visibleRegion().isEmpty()


def test_one_that_was_put_away_comes_back_as_it_is_by_then(hands: Hands) -> None:
    dock = dock_of(hands)
    dock.raise_()
    view = fits(hands)
    dock.hide()
    hands.viewer.pump(0.1)
    assert not view.isVisible() and not view.gone
    hands.click("second", "combo")
    QTest.keyClick(hands.view(kind="popup"), Qt.Key.Key_Escape)
    hands.gone("popup")
    dock.toggleViewAction().trigger()
    dock.raise_()
    assert fits(hands) is view
    hands.choose("box", "combo", 1)
    wait_for(hands.viewer, lambda: hands.viewer.layers[0].colormap.name == "viridis")


@pytest.mark.skipif("QT_SCALE_FACTOR" in os.environ, reason="this is the dense screen")
def test_all_of_it_on_a_dense_screen() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    environment = {**os.environ, "QT_SCALE_FACTOR": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "4 passed, 1 skipped" in done.stdout
