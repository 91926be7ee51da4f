"""FolderModel: what a server says of its folders, whatever it is, becomes rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from qtpy.QtCore import QModelIndex, QObject, Qt

from napari_cuda.client.qt.folder_model import FolderModel
from napari_cuda.protocol.files import PAGE_ENTRIES, Entry, FolderPage, Found

FILE = Entry("a.tif", "/data/a.tif", "file", 1500, 0.0)


class Server:
    """A folder that is listed at once; `pages` by offset."""

    def __init__(self, *pages: FolderPage) -> None:
        self.pages = {page.offset: page for page in pages}
        self.finds: list[Found] = []
        self.asked: list[tuple[str, str, str]] = []
        self.parent = QObject()
        self.model = FolderModel(self, self, self.parent)  # type: ignore[arg-type]
        self.model.look("/data")

    def list_folder(self, _path: str, *, offset: int) -> FolderPage:
        return self.pages[offset]

    def search(self, path: str, search: str, after: str) -> Found:
        self.asked.append((path, search, after))
        return self.finds.pop(0)

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


def test_a_search_goes_on_until_a_page_is_full_and_then_when_one_scrolls() -> None:
    server = Server(FolderPage("/data", "/", [FILE], 0, 1))
    said: list[str] = []
    server.model.searched.connect(said.append)
    many = [FILE] * PAGE_ENTRIES
    server.finds = [Found([], 7, 0, "a"), Found([FILE], 5, 0, "b"), Found(many, 1, 30, "c"), Found([FILE], 2)]
    server.model.look("/data", " a.t ")
    assert server.asked == [("/data", "a.t", ""), ("/data", "a.t", "a"), ("/data", "a.t", "b")]
    assert server.model.rowCount() == PAGE_ENTRIES + 1
    assert said == [
        "Searching … 0 found in 7 folders",
        "Searching … 1 found in 12 folders",
        "201 found in 13 folders, and 30 more where a folder has very many of them so far; scroll down to search on",
    ]
    assert server.model.canFetchMore(QModelIndex())
    server.model.fetchMore(QModelIndex())
    assert server.asked[-1] == ("/data", "a.t", "c")
    assert not server.model.canFetchMore(QModelIndex())
    assert said[-1] == "202 found in 15 folders, and 30 more where a folder has very many of them"
    server.model.look("/data")
    assert server.model.rowCount() == 1


def test_another_question_ends_a_search() -> None:
    server = Server(FolderPage("/data", "/", [FILE], 0, 1))
    waiting: list[Callable[[], None]] = []
    server.run = lambda _name, work, done, _failed: waiting.append(lambda: done(work()))  # type: ignore[method-assign]
    server.finds = [Found([FILE], 7, 0, "a")]
    server.model.look("/data", "a")
    server.model.look("/data", "")
    waiting.pop(0)()
    assert len(waiting) == 1, "the listing, and not the rest of the search"
    waiting.pop(0)()
    assert not waiting
    assert server.asked == [("/data", "a", "")]
