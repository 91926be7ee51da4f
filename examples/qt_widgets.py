"""Widgets of Qt's own in a dock: a list, a slider, and a button that asks before it does something."""

import napari
import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFormLayout, QMessageBox, QPushButton, QSlider, QWidget

viewer = napari.Viewer()
blobs = viewer.add_image(np.random.default_rng(5).random((60, 90)), name="blobs")

panel = QWidget()
rows = QFormLayout(panel)
colormap = QComboBox()
colormap.addItems(["gray", "magma", "viridis"])
colormap.currentTextChanged.connect(lambda name: setattr(blobs, "colormap", name))
gamma = QSlider(Qt.Orientation.Horizontal)
gamma.setRange(2, 20)
gamma.setValue(10)
gamma.valueChanged.connect(lambda tenths: setattr(blobs, "gamma", tenths / 10))
invert = QPushButton("Invert …")


def ask() -> None:
    """Invert the image if the user means it."""
    answer = QMessageBox.question(panel, "Invert", "Change the data for good?")
    if answer == QMessageBox.StandardButton.Yes:
        blobs.data = 1 - blobs.data


invert.clicked.connect(ask)
for label, widget in (("colormap", colormap), ("gamma", gamma), ("", invert)):
    rows.addRow(label, widget)
viewer.window.add_dock_widget(panel, name="look", area="right")
colormap.setCurrentText("magma")

if __name__ == "__main__":
    napari.run()
