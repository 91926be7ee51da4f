"""The File menu, its dialogs and drops in the window, for data on the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari._app_model import get_app_model
from napari.utils import progress
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt, QUrl
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QMessageBox

from integration.conftest import Serve, connected_window
from integration.test_window import pump_until, qt
from napari_cuda.client.qt.data_actions import FILE, DataActions
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.protocol.files import PAGE_ENTRIES


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served")
    (root / "frames").mkdir()
    for number in range(PAGE_ENTRIES + 10):
        (root / "frames" / f"t{number}.txt").touch()
    tifffile.imwrite(root / "frames" / "z.tif", np.full((16, 16), 5, np.uint8))
    return root


@pytest.fixture(scope="module")
def window(serve: Serve, root: Path) -> Iterator[StreamedViewer]:
    with connected_window(serve("--root", root, "--size", "160x120")) as viewer:
        yield viewer


@pytest.fixture
def actions(window: StreamedViewer) -> DataActions:
    return window._session._host.data_actions


def choose_from_menu(name: str) -> None:
    get_app_model().commands.execute_command(FILE + name).result()


def select(dialog: Any, row: int) -> None:
    dialog.view.setCurrentIndex(dialog.model.index(row, 0))


def test_open_by_keyboard(window: StreamedViewer, actions: DataActions, root: Path) -> None:
    choose_from_menu("open_files_dialog")
    dialog: Any = actions.dialog
    assert pump_until(window, lambda: dialog.model.rowCount() == 1), "the served roots"
    select(dialog, 0)
    QTest.keyClick(dialog.view, Qt.Key.Key_Return)
    assert pump_until(window, lambda: dialog.model.path == str(root))
    assert not dialog.open_button.isEnabled()
    select(dialog, 0)
    QTest.keyClick(dialog.view, Qt.Key.Key_Return)
    assert pump_until(window, lambda: dialog.model.path == str(root / "frames"))
    # The rest of a long folder comes when it is looked at.
    assert dialog.model.rowCount() >= PAGE_ENTRIES
    dialog.view.scrollToBottom()
    assert pump_until(window, lambda: dialog.model.rowCount() == PAGE_ENTRIES + 11)
    QTest.keyClicks(dialog.search, "Z.t")
    assert pump_until(window, lambda: dialog.model.rowCount() == 1)
    select(dialog, 0)
    assert pump_until(window, lambda: dialog.plugin.findData("napari") > 0)
    QTest.keyClick(dialog.view, Qt.Key.Key_Return)
    assert pump_until(window, lambda: [layer.name for layer in window.layers] == ["z"])
    assert actions.dialog is None
    assert pump_until(window, lambda: not list(progress._all_instances))
    choose_from_menu("open_files_as_stack_dialog")
    assert actions.dialog.stack.isChecked()
    assert pump_until(window, lambda: actions.dialog.model.path == str(root / "frames")), "where the last one was"
    actions.dialog.go("/etc")
    assert pump_until(window, lambda: "outside the served roots" in actions.dialog.message.text())
    actions.dialog.reject()


def test_save_asks_before_it_overwrites(window: StreamedViewer, actions: DataActions, root: Path) -> None:
    (root / "z.tif").write_text("precious")
    window.layers.selection = {window.layers["z"]}
    choose_from_menu("save_layers_dialog.selected")
    assert pump_until(window, lambda: actions.dialog is not None)
    dialog: Any = actions.dialog
    dialog.go(str(root))
    assert pump_until(window, lambda: dialog.model.path == str(root))
    assert dialog.name.text() == "z"
    QTest.keyClick(dialog.name, Qt.Key.Key_Return)
    assert pump_until(window, lambda: dialog.message.text().startswith("z.tif exists already"))
    dialog.overwrite.setChecked(True)
    QTest.keyClick(dialog.name, Qt.Key.Key_Return)
    assert pump_until(window, lambda: (root / "z.tif").read_bytes()[:2] == b"II")
    assert np.array_equal(tifffile.imread(root / "z.tif"), np.full((16, 16), 5, np.uint8))


def test_a_local_file_that_is_dropped_is_sent_after_asking(
    window: StreamedViewer, actions: DataActions, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "mine.tif", np.zeros((8, 8), np.uint8))
    before = len(window.layers)
    for answer in (QMessageBox.StandardButton.Cancel, QMessageBox.StandardButton.Yes):
        qt(window)._open_from_list_of_urls_data([QUrl.fromLocalFile(str(tmp_path / "mine.tif"))], False, False)
        (box,) = [box for box in qt(window).window().findChildren(QMessageBox) if box.isVisible()]
        assert "mine.tif (" in box.text()
        assert len(window.layers) == before
        box.button(answer).click()
    assert pump_until(window, lambda: window.layers[-1].name == "mine")
    assert len(window.layers) == before + 1


def test_what_only_the_server_could_have_says_what_is_wrong(window: StreamedViewer) -> None:
    for url, words in (
        (QUrl("https://elsewhere.example/a.zarr"), "is not served: whoever starts the server"),
        (QUrl.fromLocalFile("/nowhere/x.tif"), "/nowhere/x.tif is outside the served roots"),
    ):
        qt(window)._open_from_list_of_urls_data([url], False, False)
        assert pump_until(
            window, lambda words=words: any(words in str(note.message) for note in notification_manager.records)
        )
