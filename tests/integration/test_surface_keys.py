"""Keys that a dock widget on the server leaves: napari has them, as in a window whose widgets are its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import napari
import pytest
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QApplication

from integration.conftest import connected_window
from served_script import run_script
from stock_hands import StockHands
from surface_scripts import DUMP, Hands

FILL = """
import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import *

class Greedy(QPushButton):
    def keyPressEvent(self, event):
        event.accept()

def fill(viewer):
    image = viewer.add_image(np.arange(5.0 * 64).reshape(5, 8, 8), name="image")
    viewer.add_labels(np.ones((5, 8, 8), np.uint8), name="cells")
    viewer.dims.set_current_step(0, 2)
    counts = {"own": 0, "bound": 0}
    def count(what):
        counts[what] += 1
        image.name = f"image, own {counts['own']}, bound {counts['bound']}"
    viewer.bind_key("U", lambda viewer: count("bound"))
    box = QWidget()
    rows = QVBoxLayout(box)
    widgets = {"button": QPushButton("button"), "line": QLineEdit(), "greedy": Greedy("greedy"), "pad": QFrame()}
    for name, widget in widgets.items():
        widget.setObjectName(name)
        rows.addWidget(widget)
    widgets["pad"].setMinimumHeight(30)
    widgets["pad"].setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    for key in ("B", "Ctrl+B"):
        own = QShortcut(QKeySequence(key), widgets["button"], context=Qt.ShortcutContext.WidgetShortcut)
        own.activated.connect(lambda: count("own"))
    viewer.window.add_dock_widget(box, name="box", area="right")
"""

SCRIPT = (
    DUMP + FILL + "import napari\nviewer = napari.Viewer()\nfill(viewer)\nviewer.bind_key('g', dump)\nnapari.run()\n"
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # `test_surfaces.py` tries the main things quickly

AnyHands = Hands | StockHands

NONE, CONTROL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier
NAPARIS = {
    "v": (Qt.Key.Key_V, NONE),  # hides the layer
    "2": (Qt.Key.Key_2, NONE),  # paints
    "Ctrl+Y": (Qt.Key.Key_Y, CONTROL),  # turns to three dimensions
    "Ctrl+G": (Qt.Key.Key_G, CONTROL),  # the grid
    "Ctrl+J": (Qt.Key.Key_J, CONTROL),  # in a menu of the window
    "u": (Qt.Key.Key_U, NONE),  # bound by the script
}
WIDGETS = {"b": (Qt.Key.Key_B, NONE), "Ctrl+B": (Qt.Key.Key_B, CONTROL)}  # the button's own


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hands]:
    folder = tmp_path_factory.mktemp("keys")
    (folder / "keys.py").write_text(SCRIPT)
    with run_script(folder / "keys.py", str(folder)) as server, connected_window(server) as viewer:
        hands = Hands(viewer, folder)
        hands.view("box")
        hands.settle()
        add_to_menu(hands)
        yield hands


@pytest.fixture(scope="module")
def stock(served: Hands) -> Iterator[StockHands]:
    here: dict[str, Any] = {}
    exec(FILL, here)  # what the script does there is done here, by the same lines
    viewer = napari.Viewer()
    here["fill"](viewer)
    hands = StockHands(viewer)
    add_to_menu(hands)
    yield hands
    viewer.close()


chosen: Counter[type] = Counter()
"""How often the entry of the menu was, in either window."""


def add_to_menu(hands: AnyHands) -> None:
    menu = hands.viewer.window._qt_window.menuBar().addMenu("mine")
    action = menu.addAction("count", lambda: chosen.update([type(hands)]))
    action.setShortcut("Ctrl+J")


def state(hands: AnyHands) -> tuple[Any, ...]:
    """Return all that the keys change."""
    viewer = hands.viewer
    image, cells = viewer.layers
    step = viewer.dims.current_step[0]
    turned = viewer.dims.ndisplay, viewer.canvas.grid.enabled, step
    return image.name, cells.visible, str(cells.mode), *turned, chosen[type(hands)]


def same(served: Hands, stock: StockHands, use: Callable[[AnyHands], None]) -> bool:
    """Do the same in both, with the same effect; return whether it had any."""
    before = state(stock)
    assert state(served) == before
    for hands in (served, stock):
        use(hands)
        for _ in range(2):  # the second time what napari did of the keys that came back
            hands.settle()
    after = state(stock)
    assert state(served) == after
    return after != before


def focus(hands: AnyHands, widget: str) -> None:
    if isinstance(hands, StockHands):  # Qt has shortcuts in the active window
        hands.viewer.window._qt_window.activateWindow()
        hands.wait(hands.viewer.window._qt_window.isActiveWindow)
    hands.click("box", widget)


def stroke(hands: AnyHands, kind: QEvent.Type, key: Qt.Key, text: str, *, repeats: bool = False) -> None:
    """Do half of a key stroke: press it or let it go."""
    receiver = hands.view("box") if isinstance(hands, Hands) else hands.viewer.window._qt_window.focusWidget()
    QApplication.sendEvent(receiver, QKeyEvent(kind, key, NONE, text, repeats))


@pytest.mark.parametrize("key", NAPARIS)
def test_a_key_that_a_button_leaves_is_napari_s(served: Hands, stock: StockHands, key: str) -> None:
    for _ in range(2):  # once each: two of what toggles would be none

        def use(hands: AnyHands) -> None:
            focus(hands, "button")
            hands.key("box", *NAPARIS[key])

        assert same(served, stock, use) or key == "2"
    assert state(served)[2] == ("paint" if key == "2" else state(stock)[2])


def test_what_is_typed_into_a_field_is_no_shortcut(served: Hands, stock: StockHands) -> None:
    def use(hands: AnyHands) -> None:
        focus(hands, "line")
        hands.type("box", "v2ub 3")

    assert not same(served, stock, use)
    (line,) = [child for child in stock.content("box").children() if child.objectName() == "line"]
    assert line.text() == "v2ub 3"
    assert served.same_as_there("box")
    assert "v2ub 3" in served.dump()["box"]["places"]


@pytest.mark.parametrize(
    ("widget", "key"),
    # In a field Ctrl+Y is redo by the platform's keys, which are not the same on the server's and on a desktop's.
    [
        (widget, key)
        for widget in ("line", "greedy")
        for key in NAPARIS | WIDGETS
        if (widget, key) != ("line", "Ctrl+Y")
    ],
)
def test_fields_and_widgets_that_take_all_keys_leave_those_that_they_leave_in_napari(
    served: Hands, stock: StockHands, widget: str, key: str
) -> None:
    def use(hands: AnyHands) -> None:
        focus(hands, widget)
        hands.key("box", *(NAPARIS | WIDGETS)[key])

    assert same(served, stock, use) == (key == "Ctrl+J" or (key == "Ctrl+G" and widget == "line"))


@pytest.mark.parametrize("key", WIDGETS)
def test_a_shortcut_of_the_widget_comes_first(served: Hands, stock: StockHands, key: str) -> None:
    def use(hands: AnyHands) -> None:
        focus(hands, "button")
        hands.key("box", *WIDGETS[key])

    assert same(served, stock, use)


def test_a_key_that_repeats_does_what_it_does_in_napari(served: Hands, stock: StockHands) -> None:
    for _ in range(2):

        def use(hands: AnyHands) -> None:
            focus(hands, "button")
            for repeats in (False, True, True):  # hides the layer or shows it, once
                stroke(hands, QEvent.Type.KeyPress, Qt.Key.Key_V, "v", repeats=repeats)
            stroke(hands, QEvent.Type.KeyRelease, Qt.Key.Key_V, "v")

        assert same(served, stock, use)


def test_a_key_is_held_until_it_is_let_go(served: Hands, stock: StockHands) -> None:
    def hold(hands: AnyHands) -> None:
        focus(hands, "button")
        hands.key("box", *NAPARIS["2"])
        focus(hands, "pad")
        hands.settle()
        assert state(hands)[2] == "paint"
        stroke(hands, QEvent.Type.KeyPress, Qt.Key.Key_Space, " ")

    same(served, stock, hold)
    assert state(served)[2] == "pan_zoom"

    def let_go(hands: AnyHands) -> None:
        stroke(hands, QEvent.Type.KeyRelease, Qt.Key.Key_Space, " ")

    assert same(served, stock, let_go)
    assert state(served)[2] == "paint"
