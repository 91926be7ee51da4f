"""A small npe2 plugin, as an installed package: `write` puts it into a folder, for the PYTHONPATH of a server."""

from __future__ import annotations

from pathlib import Path

CODE = """
import napari
import numpy as np
from napari.types import ImageData
from qtpy.QtWidgets import QMessageBox, QPushButton

def count(viewer: napari.Viewer):
    viewer.add_points([[1.0, 2.0]], name="counted")

def fail(viewer: napari.Viewer):
    raise RuntimeError("no cells in " + viewer.layers[0].name)

def make() -> ImageData:
    return np.ones((4, 4))

def spin():
    while True:
        pass

def sample():
    return [(np.eye(4), {"name": "of the sample"})]

def ask(viewer: napari.Viewer):
    answer = QMessageBox.question(None, "sure", "Really?")
    viewer.add_points(name=answer.name)

class Panel(QPushButton):
    def __init__(self, viewer: napari.Viewer):
        super().__init__("cells")
        self.viewer = viewer
        viewer.title = "with a panel"
        self.clicked.connect(self.add)

    def add(self):
        if len(self.viewer.layers):
            raise RuntimeError("there are cells")
        self.viewer.add_points(name="of the panel")
"""

MANIFEST = """
name: cells-plugin
display_name: Cells & Co
contributions:
  commands:
    - {id: cells-plugin.count, title: Count, python_name: "cells_plugin:count"}
    - {id: cells-plugin.ask, title: Ask, python_name: "cells_plugin:ask"}
    - {id: cells-plugin.fail, title: Fail, python_name: "cells_plugin:fail"}
    - {id: cells-plugin.make, title: Make, python_name: "cells_plugin:make"}
    - {id: cells-plugin.spin, title: Spin, python_name: "cells_plugin:spin"}
    - {id: cells-plugin.sample, title: Sample data, python_name: "cells_plugin:sample"}
    - {id: cells-plugin.panel, title: Open the panel, python_name: "cells_plugin:Panel"}
  sample_data:
    - {command: cells-plugin.sample, key: some, display_name: Some cells}
  widgets:
    - {command: cells-plugin.panel, display_name: Panel}
"""


def write(folder: Path) -> None:
    """Put the plugin into a folder, with what `importlib.metadata` finds of an installed one."""
    (folder / "cells_plugin.py").write_text(CODE)
    (folder / "cells_manifest").mkdir()
    (folder / "cells_manifest" / "__init__.py").touch()
    (folder / "cells_manifest" / "napari.yaml").write_text(MANIFEST)
    info = folder / "cells_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cells-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[napari.manifest]\ncells-plugin = cells_manifest:napari.yaml\n")
