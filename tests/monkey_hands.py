"""A monkey's hands on the real window: what a user clicks, drags and presses there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QModelIndex, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QWidget

from monkey import FEWEST_LAYERS, MOST_LAYERS, Monkey
from napari_cuda.client.qt.window import StreamedViewer

CONTROLS = (QAbstractButton, QComboBox, QAbstractSlider, QAbstractSpinBox)
"""Of the layer's panel. A colour's swatch opens a dialog, which waits for somebody."""

OPENS_DIALOG = "colorbar"
"""… and so does the button for a colormap of one colour."""

STEPS = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Home, Qt.Key.Key_End)
"""Keys that move a slider and choose in a list."""

NONE, CTRL, SHIFT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
)
KEYS = [
    *((key, NONE) for key in (Qt.Key.Key_V, Qt.Key.Key_M, Qt.Key.Key_A, Qt.Key.Key_S, Qt.Key.Key_P, Qt.Key.Key_Delete)),
    *((Qt.Key(Qt.Key.Key_1 + number), NONE) for number in range(7)),
    *((key, NONE) for key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_BracketLeft, Qt.Key.Key_BracketRight)),
    *((key, CTRL) for key in (Qt.Key.Key_Y, Qt.Key.Key_E, Qt.Key.Key_T, Qt.Key.Key_G, Qt.Key.Key_R, Qt.Key.Key_Z)),
    (Qt.Key.Key_Z, CTRL | SHIFT),
]
"""Shortcuts that open no dialog: visibility, tools, 2D and 3D, roll, transpose, grid, steps, undo, redo."""


class Hands:
    """Do one random thing to the controls of a window. Each method is an action of the monkey's."""

    def __init__(self, window: StreamedViewer, monkey: Monkey) -> None:
        self._qt: Any = window.window._qt_viewer
        self._viewer = window
        self._chance = monkey.chance
        for weight, action in (
            (12, self.use_a_control),
            (4, self.use_a_dims_slider),
            (5, self.use_the_layer_list),
            (4, self.press_a_key),
            (2, self.press_a_button),
        ):
            monkey.add(weight, lambda _viewer, act=action: act(), name=action.__name__)

    def use_a_control(self) -> None:
        """Click or move one of the controls of the active layer."""
        panel = self._qt.controls.currentWidget()
        usable = [one for one in panel.findChildren(QWidget) if isinstance(one, CONTROLS) and _can_be_used(one)]
        if usable:
            self._operate(self._chance.choice(usable))

    def use_a_dims_slider(self) -> None:
        """Drag a slider below the canvas."""
        sliders = [one.slider for one in self._qt.dims.slider_widgets if one.isVisible()]
        if sliders:
            slider = self._chance.choice(sliders)
            slider.setValue(self._chance.randint(slider.minimum(), slider.maximum()))

    def use_the_layer_list(self) -> None:
        """Click a row, its eye or its name, or drag it elsewhere."""
        view, rows = self._qt.layers, len(self._viewer.layers)
        model, index = view.model(), view.model().index(self._chance.randrange(rows), 0)
        acts: list[Callable[[], object]] = [
            lambda: view.setCurrentIndex(index),
            lambda: QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, NONE, view.visualRect(index).center()),
            lambda: model.setData(index, self._chance.choice(list(Qt.CheckState)), Qt.ItemDataRole.CheckStateRole),
            lambda: model.setData(index, f"named {self._chance.randrange(9)}", Qt.ItemDataRole.EditRole),
            lambda: model.dropMimeData(
                model.mimeData([index]), Qt.DropAction.MoveAction, self._chance.randint(0, rows), 0, QModelIndex()
            ),
        ]
        self._chance.choice(acts)()

    def press_a_key(self) -> None:
        """Press a shortcut over the canvas."""
        key, modifier = self._chance.choice(KEYS)
        QTest.keyClick(self._qt.canvas.native, key, modifier)

    def press_a_button(self) -> None:
        """Press a button below the layer list, or above it."""
        below, above = self._qt.viewerButtons, self._qt.layerButtons
        buttons = [below.ndisplayButton, below.rollDimsButton, below.transposeDimsButton, below.gridViewButton]
        buttons.append(below.resetViewButton)
        if len(self._viewer.layers) < MOST_LAYERS:
            buttons += [above.newPointsButton, above.newShapesButton, above.newLabelsButton]
        if len(self._viewer.layers) - len(self._viewer.layers.selection) >= FEWEST_LAYERS:
            buttons.append(above.deleteButton)
        self._chance.choice(buttons).click()

    def _operate(self, control: QWidget) -> None:
        match control:
            case QAbstractButton():
                control.click()
            case QAbstractSpinBox():
                control.stepBy(self._chance.randint(-3, 3))
            case _:
                QTest.keyClick(control, self._chance.choice(STEPS))


def _can_be_used(control: QWidget) -> bool:
    return control.isVisible() and control.isEnabled() and control.objectName() != OPENS_DIALOG
