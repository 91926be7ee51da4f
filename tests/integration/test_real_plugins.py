"""Three plugins of the package index, used through the client's window and in stock napari: with the same effect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import napari
import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from integration.conftest import connected_window
from served_script import run_script
from stock_hands import StockHands
from surface_scripts import DUMP, Hands

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(600)]

AnyHands = Hands | StockHands

FILL = '''
import numpy as np
from matplotlib.figure import Figure
from qtpy.QtWidgets import QApplication

def fill(viewer):
    """Add the layers that are worked on."""
    rows, columns = np.mgrid[:48, :64]
    cells = 40 * ((rows // 8 + columns // 8) % 2) + rows + columns
    viewer.add_image(cells.astype(np.uint16), name="cells")
    viewer.add_labels((rows // 24 * 2 + columns // 32 + 1).astype(np.uint8), name="quarters")

DOCKS = {
    "F6": ("napari-skimage", "Automated Threshold"),
    "F7": ("napari-skimage", "Regionprops (labels)"),
    "F8": ("napari-metadata", "Layer metadata"),
    "F9": ("napari-matplotlib", "Histogram"),
}

def open_dock(viewer, key):
    """Open the widget of a plugin."""
    plugin, widget = DOCKS[key]
    viewer.window.add_plugin_dock_widget(plugin, widget)

def axes_of(viewer):
    """Return the limits of the plot, and how many bars it has."""
    (axes,) = viewer.window.dock_widgets["Histogram (napari-matplotlib)"].figure.axes
    return [*axes.get_xlim(), *axes.get_ylim(), len(axes.patches)]
'''

SCRIPT = (
    DUMP
    + FILL
    + """
import napari
viewer = napari.Viewer()
fill(viewer)
viewer.bind_key("g", dump)
for key in DOCKS:
    viewer.bind_key(key, lambda viewer, key=key: open_dock(viewer, key), overwrite=True)
def tell(viewer):
    (FOLDER / "axes.new").write_text(json.dumps(axes_of(viewer)))
    (FOLDER / "axes.new").rename(FOLDER / "axes.json")
viewer.bind_key("h", tell)
napari.run()
"""
)


class PatientHands(Hands):
    """A dock that opens is laid out here first and there then: whoever clicks sees where the widget came to rest."""

    def rectangle(self, title: str, widget: str) -> list[int]:
        """Return where a widget is once it stays there."""
        view = self.view(title)
        found: list[list[int]] = [[], []]

        def rests() -> bool:
            found[:] = found[1], super(PatientHands, self).rectangle(title, widget)
            return found[0] == found[1] and view.about.size == (view.width(), view.height())

        self.wait(rests)
        return found[1]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hands]:
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "plugins.py").write_text(SCRIPT)
    with run_script(folder / "plugins.py", str(folder)) as server, connected_window(server) as viewer:
        viewer.window.resize(1250, 950)
        yield PatientHands(viewer, folder)


@pytest.fixture(scope="module")
def stock(served: Hands) -> Iterator[StockHands]:
    viewer = napari.Viewer()
    viewer.window.resize(1250, 950)
    _here["fill"](viewer)
    yield StockHands(viewer)
    viewer.close()


_here: dict[str, Any] = {}
exec(FILL, _here)  # what the script does there is done here, by the same lines


def open_dock(hands: AnyHands, key: str) -> None:
    if isinstance(hands, Hands):
        hands.press_key(key)
    else:
        _here["open_dock"](hands.viewer, key)


def close_dock(hands: AnyHands, title: str) -> None:
    if isinstance(hands, Hands):
        view = hands.view(title)
        view.parent().title.close_button.click()
        hands.wait(lambda: view.gone)
    else:
        hands.content(title).parent().destroyOnClose()


def plot(hands: AnyHands) -> list[float]:
    """Return the limits of the plot's axes, and how many bars it has."""
    if isinstance(hands, StockHands):
        found: list[float] = _here["axes_of"](hands.viewer)
        return found
    file = hands.folder / "axes.json"
    file.unlink(missing_ok=True)
    hands.press_key("h")
    hands.wait(file.exists)
    found = json.loads(file.read_text())
    return found


def layers(hands: AnyHands) -> list[tuple[Any, ...]]:
    """Return what the layers are, data and all."""
    return [
        (
            layer.name,
            getattr(layer, "remote_kind", type(layer).__name__.lower()),
            np.asarray(layer.data[:] if isinstance(hands, Hands) else layer.data).tolist(),
            list(layer.scale),
            list(layer.translate),
            list(layer.axis_labels),
            [str(unit) for unit in layer.units],
            getattr(layer, "selected_label", None),
        )
        for layer in hands.viewer.layers
    ]


def same_effect(served: Hands, stock: StockHands, use: Callable[[AnyHands], None]) -> None:
    """Do the same in both; the layers are then the same."""
    before = layers(stock)
    assert layers(served) == before
    use(served)
    use(stock)
    after = layers(stock)
    assert after != before, "it had no effect"
    served.wait(lambda: layers(served) == after)


def from_corner(hands: AnyHands, title: str, widget: str, x: int, y: int) -> QPoint:
    """Return where a place of a widget is from its middle."""
    if isinstance(hands, Hands):
        _, _, width, height = hands.rectangle(title, widget)
    else:
        width, height = hands.find(title, widget).width(), hands.find(title, widget).height()
    return QPoint(x - width // 2, y - height // 2)


def enter(hands: AnyHands, title: str, widget: str, text: str) -> None:
    """Type into a field, in place of what is there, and press Return."""
    hands.click(title, widget, QPoint(-10, 0))
    hands.key(title, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    hands.type(title, text)
    hands.key(title, Qt.Key.Key_Return)


def test_magicgui_a_combo_box_and_a_button_make_a_layer(served: Hands, stock: StockHands) -> None:
    title = "Automated Threshold (napari-skimage)"

    def threshold(hands: AnyHands) -> None:
        open_dock(hands, "F6")
        hands.choose(title, "QComboBox 1", 2)
        hands.click(title, "Apply Thresholding")
        hands.wait(lambda: "cells_threshold_mean" in hands.viewer.layers)
        if isinstance(hands, Hands):
            assert hands.same_as_there(title)
        close_dock(hands, title)

    same_effect(served, stock, threshold)


def test_a_list_a_table_and_a_file_dialog(served: Hands, stock: StockHands, tmp_path: Path) -> None:
    title, table = "Regionprops (labels) (napari-skimage)", "Results Table"
    saved = []

    def measure(hands: AnyHands) -> None:
        open_dock(hands, "F7")
        hands.click(title, "QListWidget 0")
        hands.type(title, "label")
        hands.click(title, "Analyze")
        hands.click(table, "_QTableExtended 0", from_corner(hands, table, "_QTableExtended 0", 60, 70))
        file = tmp_path / f"{type(hands).__name__}.csv"
        hands.save_as(title, "Save Results", file)
        hands.wait(lambda: file.exists() and file.read_text().count("\n") == 5)
        saved.append(file.read_text())
        if isinstance(hands, Hands):
            assert hands.same_as_there(table) and hands.same_as_there(title)
        close_dock(hands, table)
        close_dock(hands, title)

    same_effect(served, stock, measure)
    assert saved[0] == saved[1]


def test_qt_widgets_line_edits_and_spin_boxes_set_properties(served: Hands, stock: StockHands) -> None:
    title = "Layer metadata (napari-metadata)"

    def describe(hands: AnyHands) -> None:
        hands.viewer.layers.selection.active = hands.viewer.layers["cells"]
        hands.wait(lambda: hands.viewer.layers.selection.active.name == "cells")
        open_dock(hands, "F8")
        hands.click(title, "▶ Axes metadata")
        enter(hands, title, "QLineEdit 0", "down")
        enter(hands, title, "QDoubleSpinBox 0", "7.5")
        if isinstance(hands, Hands):
            assert hands.same_as_there(title)
        close_dock(hands, title)

    same_effect(served, stock, describe)


def test_a_plot_is_zoomed_with_its_tool_bar(served: Hands, stock: StockHands) -> None:
    title, canvas = "Histogram (napari-matplotlib)", "FigureCanvasQTAgg 0"
    whole = []
    for hands in (served, stock):
        hands.viewer.layers.selection.active = hands.viewer.layers["cells"]
        open_dock(hands, "F9")
        enter(hands, title, "QSpinBox 0", "12")
        hands.wait(lambda hands=hands: plot(hands)[-1] == 12)
        whole.append(plot(hands))
        hands.click(title, "Zoom")
        hands.drag(title, canvas, (0.4, 0.4), (0.6, 0.6))
        hands.wait(lambda hands=hands: plot(hands)[:4] != whole[-1][:4])
        left, right, *_ = plot(hands)
        assert whole[-1][0] < left < right < whole[-1][1]
        if isinstance(hands, Hands):
            assert hands.same_as_there(title)
        hands.click(title, "Home")
        hands.wait(lambda hands=hands: plot(hands) == whole[-1])
        close_dock(hands, title)
    assert whole[0] == pytest.approx(whole[1])
