"""Widgets of a script on the server, seen and used in the client's window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from qtpy.QtCore import QPoint, QRectF, Qt
from qtpy.QtGui import QGuiApplication, QImage, QInputMethodEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDockWidget

from integration.conftest import Connect, connected_window
from integration.test_window import qt
from napari_cuda.protocol import messages as m
from napari_cuda.protocol import surface_messages as s
from napari_cuda.protocol.roles import VIEW_ONLY
from napari_cuda.server_process import ServerProcess
from raw_client import RawClient
from served_script import run_script, wait_for
from surface_scripts import DUMP, Hands

SCRIPT = (
    DUMP
    + """
import napari, numpy as np
from magicgui import magicgui
from napari.types import ImageData
from qtpy.QtCore import Qt
from qtpy.QtWidgets import *

viewer = napari.Viewer()
image = viewer.add_image(np.arange(64.0).reshape(8, 8), name="image")
viewer.bind_key("g", dump)
box = QWidget()
rows = QFormLayout(box)
widgets = {
    "button": QPushButton("button"), "combo": QComboBox(), "spin": QSpinBox(), "line": QLineEdit(),
    "ask": QPushButton("ask"), "menu": QToolButton(), "slider": QSlider(Qt.Orientation.Horizontal),
    "table": QTableWidget(2, 2), "list": QListWidget(),
}
for name, widget in widgets.items():
    widget.setObjectName(name)
    rows.addRow(name, widget)
widgets["combo"].addItems(["gray", "magma", "viridis"])
widgets["line"].setToolTip("the name of the layer")
widgets["list"].addItems([f"row {number}" for number in range(50)])
menu = QMenu(widgets["menu"])
more = menu.addMenu("more")
more.addAction("rename", lambda: setattr(image, "name", "by the menu"))
widgets["menu"].setMenu(menu)
widgets["menu"].setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
widgets["button"].clicked.connect(lambda: viewer.add_points([[1, 1]], name="points"))
widgets["combo"].currentTextChanged.connect(lambda text: setattr(image, "colormap", text))
widgets["spin"].valueChanged.connect(lambda value: setattr(image, "gamma", 1 + value / 10))
widgets["line"].editingFinished.connect(lambda: setattr(image, "name", widgets["line"].text() or "image"))
widgets["slider"].valueChanged.connect(lambda value: setattr(image, "opacity", (99 - value) / 99))
widgets["table"].itemChanged.connect(lambda item: setattr(image, "name", f"{item.row()} {item.column()} {item.text()}"))
widgets["list"].currentRowChanged.connect(lambda row: setattr(image, "name", f"row {row}"))

def ask():
    asked = QMessageBox(QMessageBox.Icon.Question, "sure", "Really?", parent=box)
    asked.setStandardButtons(QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No)
    image.name = "asked"
    image.name = "yes" if asked.exec() == QMessageBox.StandardButton.Yes else "no"

widgets["ask"].clicked.connect(ask)
viewer.window.add_dock_widget(box, name="box", area="right")

@magicgui(call_button="blur", times={"min": 1, "max": 9})
def blur(picture: ImageData, times: int = 3) -> ImageData:
    return picture / times

viewer.window.add_dock_widget(blur, name="blur", area="left")

def more():
    button = QPushButton("more")
    button.setFixedHeight(30)
    button.clicked.connect(lambda: setattr(image, "name", "more"))
    return button

viewer.bind_key("x", lambda viewer: viewer.window.add_dock_widget(more(), name="extra", area="bottom"))
napari.run()
"""
)


def words_of(picture: QImage) -> npt.NDArray[np.int16]:
    """Return the channels of a picture as numbers to reckon with."""
    picture = picture.convertToFormat(QImage.Format.Format_RGB32)
    bits: Any = picture.constBits()
    bits.setsize(picture.sizeInBytes())
    return np.frombuffer(bits, np.uint8).astype(np.int16)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("script")
    (folder / "widgets.py").write_text(SCRIPT)
    with run_script(folder / "widgets.py", str(folder)) as server:
        server.folder = folder  # type: ignore[attr-defined]
        yield server


@pytest.fixture(scope="module")
def shared_hands(server: Any) -> Iterator[Hands]:
    with connected_window(server) as viewer:
        viewer.window.resize(1250, 950)
        hands = Hands(viewer, server.folder)
        hands.view("box")
        hands.view("blur")
        hands.settle()
        yield hands


@pytest.fixture
def hands(shared_hands: Hands) -> Iterator[Hands]:
    """The window, with the layer as it was."""
    yield shared_hands
    layers = shared_hands.viewer.layers
    del layers[1:]
    layers[0].name, layers[0].gamma, layers[0].opacity = "image", 1.0, 1.0
    shared_hands.settle()


def test_docks_are_where_the_script_put_them_and_look_as_on_the_server(hands: Hands) -> None:
    window = qt(hands.viewer).window()
    for title, area in (("box", Qt.DockWidgetArea.RightDockWidgetArea), ("blur", Qt.DockWidgetArea.LeftDockWidgetArea)):
        view = hands.view(title)
        dock = view.parent()
        assert isinstance(dock, QDockWidget)
        assert dock.windowTitle() == title
        assert window.dockWidgetArea(dock) == area
        assert view.about.size == (view.width(), view.height())
        assert hands.same_as_there(title)


def test_buttons_fields_and_sliders_do_what_they_do_there(hands: Hands) -> None:
    layer = hands.viewer.layers[0]
    hands.click("box", "button")
    wait_for(hands.viewer, lambda: [one.name for one in hands.viewer.layers] == ["image", "points"])
    x, y, width, height = hands.dump()["box"]["places"]["spin"]
    QTest.mouseClick(hands.view("box"), Qt.MouseButton.LeftButton, pos=QPoint(x + width // 2, y + height // 2))
    QTest.keyClick(hands.view("box"), Qt.Key.Key_Up)
    QTest.keyClick(hands.view("box"), Qt.Key.Key_Up)
    wait_for(hands.viewer, lambda: layer.gamma == pytest.approx(1.2))
    # A drag of the slider's handle, from one end to the other.
    x, y, width, height = hands.dump()["box"]["places"]["slider"]
    view, middle = hands.view("box"), y + height // 2
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(x + 5, middle))
    for step in range(1, 11):
        hands.move(view, QPoint(x + 5 + step * (width - 10) // 10, middle), held=True)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(x + width - 5, middle))
    wait_for(hands.viewer, lambda: layer.opacity == 0)
    assert hands.same_as_there("box")


def test_what_is_typed_counts_when_the_field_is_left(hands: Hands) -> None:
    layer = hands.viewer.layers[0]
    hands.click("box", "line")
    hands.type("box", "Añ g2")
    assert layer.name == "image"
    QTest.keyClick(hands.view("box"), Qt.Key.Key_Tab)
    wait_for(hands.viewer, lambda: layer.name == "Añ g2")
    hands.click("box", "line", QPoint(10, 0))
    QTest.keyClick(hands.view("box"), Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(hands.view("box"), Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    wait_for(hands.viewer, lambda: clipboard.text() == "Añ g2")
    clipboard.setText("pasted")
    QTest.keyClick(hands.view("box"), Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(hands.view("box"), Qt.Key.Key_Return)
    wait_for(hands.viewer, lambda: layer.name == "pasted")


def test_what_an_input_method_composes_is_written_there(hands: Hands) -> None:
    view, queries = hands.view("box"), Qt.InputMethodQuery

    def compose(text: str = "", composing: str = "", replaces: tuple[int, int] = (0, 0)) -> None:
        caret = QInputMethodEvent.Attribute(QInputMethodEvent.AttributeType.Cursor, len(composing), 1, None)
        event = QInputMethodEvent(composing, [caret])
        event.setCommitString(text, *replaces)
        QApplication.sendEvent(view, event)
        hands.settle()

    hands.click("box", "button")
    assert not view.inputMethodQuery(queries.ImEnabled)
    compose("nowhere")
    hands.click("box", "line")
    wait_for(hands.viewer, lambda: view.inputMethodQuery(queries.ImEnabled))
    hands.key("box", Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    hands.key("box", Qt.Key.Key_Delete)
    line = QRectF(*hands.rectangle("box", "line")).adjusted(-3, 0, 3, 0)  # Qt's says more than the caret itself
    begins = view.inputMethodQuery(queries.ImCursorRectangle)
    assert line.contains(begins)
    compose(composing="にほん")
    assert "にほん" not in hands.dump()["box"]["places"]  # it is seen there, and not written
    assert hands.same_as_there("box")
    wait_for(hands.viewer, lambda: view.inputMethodQuery(queries.ImCursorRectangle).x() > begins.x() + 15)
    compose("日本")
    compose("e")
    compose("é", replaces=(-1, 1))
    compose(composing="not")
    compose()
    assert line.contains(view.inputMethodQuery(queries.ImCursorRectangle))
    hands.key("box", Qt.Key.Key_Return)
    wait_for(hands.viewer, lambda: hands.viewer.layers[0].name == "日本é")


def test_keys_that_a_widget_leaves_are_napari_s(hands: Hands) -> None:
    layer = hands.viewer.layers[0]
    hands.viewer.layers.selection.active = layer
    hands.click("box", "line")
    hands.type("box", "v")
    hands.key("box", Qt.Key.Key_Escape)
    hands.click("box", "slider")
    hands.key("box", Qt.Key.Key_V)  # a slider leaves letters
    hands.settle()
    assert not layer.visible
    hands.key("box", Qt.Key.Key_V)
    wait_for(hands.viewer, lambda: layer.visible)
    hands.click("box", "line")
    hands.key("box", Qt.Key.Key_Backspace)


def test_a_table_is_edited_and_a_list_scrolled(hands: Hands) -> None:
    layer, view = hands.viewer.layers[0], hands.view("box")
    x, y, _width, _height = hands.dump()["box"]["places"]["table"]
    cell = QPoint(x + 60, y + 40)
    for click in (QTest.mouseClick, QTest.mouseDClick):
        click(view, Qt.MouseButton.LeftButton, pos=cell)
    hands.type("box", "7")
    QTest.keyClick(view, Qt.Key.Key_Return)
    wait_for(hands.viewer, lambda: layer.name == "0 0 7")
    place = hands.place("box", "list")
    hands.click("box", "list")
    wait_for(hands.viewer, lambda: layer.name.startswith("row "))
    first = layer.name
    hands.wheel(view, place, -3)
    hands.settle()
    hands.click("box", "list")
    wait_for(hands.viewer, lambda: layer.name.startswith("row ") and layer.name != first)
    assert int(layer.name.split()[1]) > int(first.split()[1])


def test_a_combo_box_opens_and_a_press_beside_it_closes_it(hands: Hands) -> None:
    layer = hands.viewer.layers[0]
    hands.click("box", "combo")
    popup = hands.view(kind="popup")
    box = hands.view("box")
    below = popup.mapToGlobal(QPoint()) - box.mapToGlobal(QPoint())
    assert (below.x(), below.y()) == popup.about.position
    assert popup.isVisible()
    last = QPoint(20, popup.height() * 5 // 6)
    hands.move(popup, last)

    def chosen() -> bool:
        if not popup.gone:  # Qt passes over what comes too soon after the press that opens it
            QTest.mouseClick(popup, Qt.MouseButton.LeftButton, pos=last)
            hands.settle()
        return layer.colormap.name == "viridis"

    wait_for(hands.viewer, chosen)
    hands.gone("popup")
    hands.click("box", "combo")
    popup = hands.view(kind="popup")
    QTest.mouseClick(popup, Qt.MouseButton.LeftButton, pos=QPoint(-500, 400))
    hands.gone("popup")
    assert layer.colormap.name == "viridis"


def test_menus_open_in_each_other(hands: Hands) -> None:
    hands.click("box", "menu")
    menu = hands.view(kind="popup")
    QTest.mouseClick(menu, Qt.MouseButton.LeftButton, pos=menu.rect().center())
    wait_for(hands.viewer, lambda: hands.view(kind="popup") is not menu)
    inner = hands.view(kind="popup")
    assert inner.about.parent == menu.about.surface
    hands.move(inner, inner.rect().center())
    QTest.mouseClick(inner, Qt.MouseButton.LeftButton, pos=inner.rect().center())
    wait_for(hands.viewer, lambda: hands.viewer.layers[0].name == "by the menu")
    hands.gone("popup")


def test_the_session_goes_on_while_a_callback_waits_for_its_dialog(hands: Hands, connect: Connect, server: Any) -> None:
    layer = hands.viewer.layers[0]
    hands.click("box", "ask")
    dialog = hands.view("sure")
    assert layer.name == "asked"
    assert dialog.about.kind == "dialog" and dialog.about.modal
    assert hands.same_as_there("sure")
    # The picture, properties and commands go on; so does somebody who comes now. What the dialog keeps out does not.
    layer.gamma = 0.5
    before = hands.viewer.exact_screenshot()
    layer.gamma = 2.0
    assert (hands.viewer.exact_screenshot() != before).any()
    assert connect(server).layers[0].gamma == 2.0
    hands.click("box", "button")
    assert len(hands.viewer.layers) == 1
    hands.click("sure", "&Yes")
    wait_for(hands.viewer, lambda: layer.name == "yes")
    hands.gone("dialog")
    hands.click("box", "ask")
    QTest.keyClick(hands.view("sure"), Qt.Key.Key_Escape)
    wait_for(hands.viewer, lambda: layer.name == "no")
    hands.gone("dialog")


def test_the_cursor_and_tool_tips_are_those_of_the_widgets(hands: Hands) -> None:
    view, place = hands.view("box"), hands.place("box", "line")
    hands.move(view, place)
    wait_for(hands.viewer, lambda: view.cursor().shape() == Qt.CursorShape.IBeamCursor)
    tip = hands.view(kind="tooltip")
    assert tip.isVisible()
    hands.move(view, hands.place("box", "button"))
    wait_for(hands.viewer, lambda: view.cursor().shape() == Qt.CursorShape.ArrowCursor)
    hands.gone("tooltip")


def test_a_dock_has_the_room_that_the_window_gives_it(hands: Hands) -> None:
    view = hands.view("blur")
    window, before = qt(hands.viewer).window(), view.size()
    window.resizeDocks([view.parent()], [before.width() + 60], Qt.Orientation.Horizontal)
    wait_for(hands.viewer, lambda: view.about.size == (view.width(), view.height()) and view.size() != before)
    assert hands.same_as_there("blur")


def test_magicgui_knows_the_layers(hands: Hands) -> None:
    hands.click("blur", "blur")
    wait_for(hands.viewer, lambda: len(hands.viewer.layers) == 2)


def test_who_only_looks_sees_them_at_his_own_density_and_one_update_at_a_time(hands: Hands, server: Any) -> None:
    with RawClient(server, headers={"Authorization": f"Bearer {server.view_token}"}) as looker:
        looker.send(s.SurfaceWatch(2.0))
        listed = looker.wait_for(s.SurfaceList)
        box = next(one for one in listed.surfaces if one.title == "box")
        assert [one.title for one in listed.surfaces] == ["box", "blur"]
        update = looker.wait_for(s.SurfaceUpdate)
        assert update.surface == box.surface
        assert update.size == tuple(2 * length for length in box.size)
        wait_for(hands.viewer, lambda: hands.view("box").image.width() == update.size[0])
        # Here it is shown at half of that: each pixel is the mean of four, and not one of them.
        view = hands.view("box")
        modes = Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
        smooth = view.image.scaled(view.size(), *modes)
        assert np.abs(words_of(view.grab().toImage()) - words_of(smooth)).max() <= 2
        press = s.SurfacePointer(looker.next_intent(), box.surface, "press", [5, 5], 1, [1])
        assert looker.refusals(press) == {"intent": VIEW_ONLY}
        # Nothing of it is told him before he says that he has what he was told.
        for offset in (-20, 0, 20):
            hands.click("box", "list", QPoint(0, offset))
        looker.send(m.Ping(77))
        assert looker.updates_before(m.Pong, box.surface) == []
        looker.send(s.SurfaceAck(box.surface, update.revision))
        later = looker.wait_for(s.SurfaceUpdate)
        assert later.revision > update.revision + 1
    wait_for(hands.viewer, lambda: hands.view("box").image.width() == update.size[0] // 2)
    assert hands.same_as_there("box")


def test_docks_come_later_and_go_by_the_cross_in_their_title(hands: Hands) -> None:
    for _ in range(2):
        hands.press_key("x")
        view = hands.view("extra")
        dock: Any = view.parent()
        assert qt(hands.viewer).window().dockWidgetArea(dock) == Qt.DockWidgetArea.BottomDockWidgetArea
        wait_for(hands.viewer, lambda view=view: view.about.size == (view.width(), view.height()))
        assert view.height() == 30 and view.width() > 200
        hands.click("extra", "more")
        wait_for(hands.viewer, lambda: hands.viewer.layers[0].name == "more")
        hands.viewer.layers[0].name = "image"
        dock.title.close_button.click()
        wait_for(hands.viewer, lambda gone=view: gone.gone)
        assert "extra" not in hands.dump()
    assert "box" in hands.dump()


ASKS = """
import napari
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QMessageBox
viewer = napari.Viewer()
answers = []
QTimer.singleShot(0, lambda: answers.append(QMessageBox.question(None, "sure", "Really?")))
try:
    napari.run()
finally:
    print("answer:", answers[0].name)
"""


@pytest.mark.slow
def test_a_dialog_that_nobody_answers_does_not_keep_the_script_from_ending(tmp_path: Path) -> None:
    (tmp_path / "asks.py").write_text(ASKS)
    with run_script(tmp_path / "asks.py") as server:
        with connected_window(server) as viewer:
            assert Hands(viewer, tmp_path).view("sure").about.kind == "dialog"
            server._process.terminate()
            assert server._process.wait(60) == 0
            assert "answer: No" in server.log()


CANVAS = """
import napari
from qtpy.QtOpenGLWidgets import QOpenGLWidget
viewer = napari.Viewer()
viewer.window.add_dock_widget(QOpenGLWidget(), name="canvas")
napari.run()
"""


@pytest.mark.slow
def test_a_widget_that_draws_with_opengl_says_that_it_cannot(tmp_path: Path) -> None:
    (tmp_path / "canvas.py").write_text(CANVAS)
    with run_script(tmp_path / "canvas.py") as server, connected_window(server) as viewer:
        image = Hands(viewer, tmp_path).view("canvas").image
        row = range(image.width())
        colours = {image.pixelColor(x, y).name() for x in row for y in range(image.height())}
        assert {"#000000", "#ffffff"} <= colours, "a line in white on black"


def test_the_theme_is_that_of_the_window(hands: Hands) -> None:
    def corner() -> int:
        return hands.view("blur").image.pixelColor(2, 2).lightness()

    dark = corner()
    hands.viewer.theme = "light"
    wait_for(hands.viewer, lambda: corner() > dark + 100)
    hands.viewer.theme = "dark"
    wait_for(hands.viewer, lambda: corner() == dark)
