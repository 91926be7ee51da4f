from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from qtpy.QtWidgets import QApplication, QLabel, QMainWindow

from napari_cuda.client.qt.exact_mark import ExactMark


@pytest.fixture(scope="module", autouse=True)
def application() -> Iterator[QApplication]:
    platform = [] if os.environ.get("DISPLAY") else ["-platform", "offscreen"]
    yield QApplication.instance() or QApplication(["tests", *platform])


def test_the_mark_comes_and_goes_and_keeps_its_place() -> None:
    window = QMainWindow()
    window.menuBar().addMenu("Help")
    window.resize(400, 200)
    window.show()
    QApplication.processEvents()
    mark = ExactMark(window)
    QApplication.processEvents()
    label = window.findChild(QLabel, "exact mark")
    assert label is not None
    assert window.menuBar().cornerWidget() is label
    assert "pixel for pixel" in label.toolTip()
    assert label.isVisible()
    assert window.menuBar().rect().contains(label.geometry())
    widths = set()
    for exact in (False, True, True, False):
        mark.show(exact)
        assert label.text() == ("exact" if exact else "")
        widths.add((label.minimumWidth(), label.maximumWidth()))
    assert len(widths) == 1
    assert label.fontMetrics().horizontalAdvance("exact") < widths.pop()[0]
    window.close()
