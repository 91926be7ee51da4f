"""DataActions: napari's File menu, drops and `viewer.open` of the window, for data on the server. Owner: GUI thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import QUrl
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QFileDialog, QMenu, QMessageBox

from napari_cuda.client.data_access import NO_FILE_NAME, DataAccess
from napari_cuda.client.mirror.remote_layers import RemoteLayer
from napari_cuda.client.net.file_service import Writer, size_of
from napari_cuda.client.qt.activity import Activity
from napari_cuda.client.qt.folder_model import size_text
from napari_cuda.client.qt.napari_adapter import main_window, replace_commands, replace_opening
from napari_cuda.client.qt.remote_file_dialog import FolderDialog, OpenDialog, SaveDialog
from napari_cuda.protocol.errors import NapariCudaError

FILE = "napari.window.file."


class DataActions:
    """Owner: GUI thread. Nothing here waits: what takes long shows in napari's activity dock."""

    def __init__(
        self,
        viewer: napari.Viewer,
        data: DataAccess,
        notify: Callable[[str], object],
        *,
        in_session: Callable[[], bool],
    ) -> None:
        self._viewer = viewer
        self._data = data
        self._notify = notify
        self._in_session = in_session
        self._window = main_window(viewer)
        self._folder = ""
        """Where the last dialog was; "" for the places where to begin."""
        self.dialog: FolderDialog | None = None
        self.activity = Activity(data.board, data.cancel)
        open_stack = partial(self.show_open, stack=True)
        replace_commands(
            viewer,
            {
                FILE + "open_files_dialog": self.show_open,
                FILE + "open_files_as_stack_dialog": open_stack,
                FILE + "open_folder_dialog": self.show_open,
                FILE + "_open_files_with_plugin": self.show_open,
                FILE + "_open_files_as_stack_with_plugin": open_stack,
                FILE + "_open_folder_with_plugin": self.show_open,
                FILE + "save_layers_dialog.selected": partial(self.show_save, selected=True),
                FILE + "save_layers_dialog": partial(self.show_save, selected=False),
            },
        )
        replace_opening(viewer, self.open_dropped, self._open_names)
        self._open_local = QAction("Open &Local File(s)…", self._window)
        self._open_local.triggered.connect(lambda: self.show_open_local())
        self._menu: QMenu = viewer.window.file_menu
        # napari builds its menus anew when a plugin adds to them.
        self._menu.aboutToShow.connect(self._add_open_local)
        self._add_open_local()

    def close(self) -> None:
        """The session is over: no more bars."""
        self.activity.close()

    def show_open(self, *, stack: bool = False) -> None:
        """Let the user choose what to open on the server."""
        if not self._may_ask():
            return
        dialog = OpenDialog(self._window, self._data.service, self._data.errands, self._folder, stack=stack)

        def chosen() -> None:
            choice = dialog.choice()
            self._open(choice.paths, choice.stack, choice.plugin)

        self._show(dialog, chosen)

    def show_roots(self) -> None:
        """Let the user choose from the start: the folders that the server serves."""
        self._folder = ""
        self.show_open()

    def show_open_local(self) -> None:
        """Let the user choose local files to send to the server and open there."""
        if not self._may_ask():
            return
        names, _ = QFileDialog.getOpenFileNames(self._window, "Open local files on the server")
        if names:
            self.send([Path(name) for name in names])

    def show_save(self, *, selected: bool) -> None:
        """Let the user choose where to save the selected layers, or all."""
        if not self._may_ask():
            return
        layers = [
            layer
            for layer in self._viewer.layers
            if isinstance(layer, RemoteLayer) and (not selected or layer in self._viewer.layers.selection)
        ]
        if not layers:
            self._notify("There is nothing to save: select a layer" if selected else "There are no layers to save")
            return
        kinds = [layer.remote_kind for layer in layers]
        self._errand(lambda: self._data.service.writers(kinds), partial(self._choose_where_to_save, layers))

    def send(self, sources: Sequence[Path], *, stack: bool = False) -> None:
        """Send local files and folders to the server, and open them there; errors are told to the user."""
        try:
            self._data.upload(sources, lambda paths: self._open(paths, stack))
        except OSError as error:
            self._notify(f"Nothing was sent: {error}")

    def open_dropped(self, urls: Sequence[QUrl], stack: bool, _choose_plugin: bool) -> None:
        """Something was dropped on the window: local files are sent, after asking; all else is the server's."""
        if not self._may_ask():
            return
        local = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
        here = [path for path in local if path.exists()]
        there = [str(path) for path in local if path not in here]
        there += [url.toString() for url in urls if not url.isLocalFile()]
        if there:
            # A path that only the server has, or an address: it says what is wrong with it.
            self._open(there, stack)
        if here:
            self._ask_to_send(here, stack)

    def _open_names(self, names: Sequence[str], stack: bool = False, **_options: Any) -> None:
        """What napari's own parts ask the window to open, by name."""
        self._open([str(name) for name in names], bool(stack))

    def _open(self, paths: Sequence[str], stack: bool, plugin: str = "") -> None:
        self._try(lambda: self._data.open(paths, stack=stack, plugin=plugin))

    def _ask_to_send(self, sources: list[Path], stack: bool) -> None:
        first = sources[0].name + (f" and {len(sources) - 1} more" if len(sources) > 1 else "")
        try:
            size = size_text(sum(size_of(source) for source in sources))
        except OSError as error:
            self._notify(f"Nothing was sent: {error}")
            return
        box = QMessageBox(self._window)
        box.setWindowTitle("Send to the server?")
        box.setText(f"{first} ({size}) is on this computer. Send it to the server and open it there?")
        box.setInformativeText("It stays there until the server ends.")
        box.setStandardButtons(QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.Cancel)
        box.accepted.connect(lambda: self.send(sources, stack=stack))
        box.finished.connect(lambda _result: box.deleteLater())
        box.open()  # not exec: whoever dropped it need not wait for the answer

    def _choose_where_to_save(self, layers: Sequence[RemoteLayer], writers: list[Writer]) -> None:
        name = NO_FILE_NAME.sub("", str(getattr(layers[0], "name", ""))) if len(layers) == 1 else "layers"
        service, errands = self._data.service, self._data.errands
        dialog = SaveDialog(self._window, service, errands, self._folder, name=name, writers=writers)
        ids = [layer.remote_id for layer in layers]

        def chosen() -> None:
            choice = dialog.choice()
            if choice.path:
                self._try(lambda: self._data.save(choice.path, ids, plugin=choice.plugin, overwrite=choice.overwrite))
                return
            target, _ = QFileDialog.getSaveFileName(self._window, "Save on this computer", dialog.file_name())
            if target:
                self._try(lambda: self._data.save_here(Path(target), ids, plugin=choice.plugin))

        self._show(dialog, chosen)

    def _show(self, dialog: FolderDialog, chosen: Callable[[], object]) -> None:
        self.dialog = dialog

        def finished(result: int) -> None:
            self._folder = dialog.model.path
            self.dialog = None
            dialog.deleteLater()
            if result:
                chosen()

        dialog.finished.connect(finished)
        dialog.open()

    def _errand(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self._try(lambda: self._data.errands.run("files", work, done, self._notify_of))

    def _try(self, ask: Callable[[], object]) -> None:
        """Ask for something; the user is told why it cannot be: what is raised in a slot of Qt's would abort it."""
        try:
            ask()
        except NapariCudaError as error:
            self._notify_of(error)

    def _may_ask(self) -> bool:
        """Whether there is a session, connected or not; if not the user is told."""
        if not self._in_session():
            self._notify("This window has left its session: there is no server to open or save on")
        return self._in_session()

    def _notify_of(self, error: Exception) -> None:
        self._notify(str(error))

    def _add_open_local(self) -> None:
        actions = self._menu.actions()
        if self._open_local in actions:
            return
        texts = [action.text().replace("&", "") for action in actions]
        after = next((index + 1 for index, text in enumerate(texts) if text.startswith("Open Folder")), len(actions))
        if after < len(actions):
            self._menu.insertAction(actions[after], self._open_local)
        else:
            self._menu.addAction(self._open_local)
