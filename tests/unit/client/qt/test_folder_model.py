"""FolderModel: what a server says of its folders, whatever it is, becomes rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from qtpy.QtCore import QModelIndex, QObject, Qt

from napari_cuda.client.qt.folder_model import FolderModel
from napari_cuda.protocol.files import Entry, FolderPage

FILE = Entry("a.tif", "/data/a.tif", "file", 1500, 0.0)


class Server:
    """A folder that is listed at once; `pages` by offset."""

    def __init__(self, *pages: FolderPage) -> None:
        self.pages = {page.offset: page for page in pages}
        self.parent = QObject()
        self.model = FolderModel(self, self, self.parent)  # type: ignore[arg-type]
        self.model.look("/data")

    def list_folder(self, _path: str, _search: str, offset: int) -> FolderPage:
        return self.pages[offset]

    def run(
        self, _name: str, work: Callable[[], Any], done: Callable[[Any], None], _failed: Callable[[Exception], None]
    ) -> None:
        done(work())


def cells(model: FolderModel, row: int) -> list[Any]:
    return [model.data(model.index(row, column), Qt.ItemDataRole.DisplayRole) for column in range(model.columnCount())]


@pytest.mark.parametrize("modified_s", [1e300, -1e15, float("nan")])
def test_a_date_that_is_none_is_left_out(modified_s: float) -> None:
    odd = Entry("b.tif", "/data/b.tif", "file", 12, modified_s)
    model = Server(FolderPage("/data", "/", [FILE, odd], 0, 2)).model
    assert cells(model, 0)[:3] == ["a.tif", "1.5 kB", "file"]
    assert cells(model, 1) == ["b.tif", "12 B", "file", ""]


def test_a_folder_that_has_become_shorter_is_asked_for_once() -> None:
    model = Server(FolderPage("/data", "/", [FILE], 0, 3), FolderPage("/data", "/", [], 1, 3)).model
    assert model.canFetchMore(QModelIndex())
    model.fetchMore(QModelIndex())
    assert not model.canFetchMore(QModelIndex())
    assert model.rowCount() == 1
