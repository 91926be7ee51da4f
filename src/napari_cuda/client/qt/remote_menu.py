"""RemoteMenu: the menu of the connection, between napari's own. Owner: GUI thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import napari
from qtpy.QtGui import QAction, QActionGroup
from qtpy.QtWidgets import QMenu

from napari_cuda.protocol.messages import Role, ScriptViewers
from napari_cuda.view import Quality

log = logging.getLogger(__name__)

QUALITIES: dict[Quality, str] = {"auto": "&Automatic", "full": "&Full", "fast": "Fa&st"}
"""Values of the view's `quality`, and what the menu calls them."""


@dataclass(frozen=True, slots=True)
class RemoteActions:
    """What the menu does. `quality` is the session's."""

    show_connection: Callable[[], object]
    connect_to: Callable[[], object]
    reconnect: Callable[[], object]
    leave: Callable[[], object]
    interrupt: Callable[[], object]
    copy_address: Callable[[], object]
    show_log: Callable[[], object]
    show_roots: Callable[[], object]
    quality: Callable[[], Quality]
    set_quality: Callable[[Quality], object]
    open_session: Callable[[], bool]
    """Whether there is a session, connected or not, that can be left."""
    role: Callable[[], Role]
    viewers: Callable[[], ScriptViewers]
    """Those that the server's script made."""
    show_viewer: Callable[[str], object]
    busy: Callable[[], bool]
    """Whether code of the user's keeps the server."""


class RemoteMenu:
    """Owner: GUI thread. Entries are looked up when the menu opens: nothing has to be told to it."""

    def __init__(self, viewer: napari.Viewer, actions: RemoteActions, figures: QAction) -> None:
        """`figures` is the View menu's switch of the HUD, which stands here too."""
        self._actions = actions
        window = viewer.window
        self._help_menu: QMenu = window.help_menu
        self.menu = QMenu("&Remote", window.main_menu)
        window.main_menu.insertMenu(self._help_menu.menuAction(), self.menu)
        self.menu.aboutToShow.connect(self.refresh)
        self._add("&Connection…", actions.show_connection)
        self._add("Connect &To…", actions.connect_to)
        self._add("&Reconnect Now", actions.reconnect)
        self._leave = self._add("&Disconnect", actions.leave)
        self._add("Copy &Address", actions.copy_address).setToolTip("The server's address, without the token")
        self.menu.addSeparator()
        self._qualities = self._add_qualities(QMenu("&Quality", self.menu))
        self.menu.addAction(figures)
        self.menu.addSeparator()
        self._viewers = QMenu("&Viewer", self.menu)
        self._viewers.setToolTip("Which of the script's viewers this window, and all others of the session, show")
        self.menu.addMenu(self._viewers)
        self._interrupt = self._add("&Interrupt the Script", actions.interrupt)
        self._interrupt.setToolTip("As Ctrl+C would on the server: what it computes ends with KeyboardInterrupt")
        self.menu.addSeparator()
        self._roots = self._add("Served &Folders…", actions.show_roots)
        self._log = self._add("Server &Log…", actions.show_log)
        self._info = QAction("napari-cuda Info", self.menu)
        self._info.triggered.connect(lambda: actions.show_connection())
        # napari builds its menus anew when a plugin adds to them.
        self._help_menu.aboutToShow.connect(self._add_info)
        self._add_info()
        self.refresh()

    def refresh(self) -> None:
        """Enable what can be done now, and mark the quality."""
        there = self._actions.open_session()
        controls = there and self._actions.role() == "control"
        self._leave.setEnabled(there)
        for action in (self._roots, self._log, *self._qualities.values()):
            action.setEnabled(controls)
        self._interrupt.setEnabled(controls and self._actions.busy())
        self._list_viewers(controls=controls)
        quality = self._actions.quality()
        for name, action in self._qualities.items():
            action.setChecked(name == quality)

    def _list_viewers(self, *, controls: bool) -> None:
        """List the script's viewers; titles need not differ: napari calls all that have none of their own the same."""
        there = self._actions.viewers()
        self._viewers.clear()
        group = QActionGroup(self._viewers)
        for number, entry in enumerate(there.viewers, 1):
            action = QAction(f"{number}: {entry.title}".replace("&", "&&"), group)
            action.setCheckable(True)
            action.setChecked(entry.viewer == there.shown)
            action.triggered.connect(lambda _checked=False, viewer=entry.viewer: self._actions.show_viewer(viewer))
            self._viewers.addAction(action)
        self._viewers.setEnabled(controls and len(there.viewers) > 1)

    def _add(self, title: str, do: Callable[[], object]) -> QAction:
        action = QAction(title, self.menu)
        action.triggered.connect(lambda: do())
        self.menu.addAction(action)
        return action

    def _add_qualities(self, menu: QMenu) -> dict[Quality, QAction]:
        self.menu.addMenu(menu)
        group = QActionGroup(menu)
        qualities = {name: QAction(title, menu) for name, title in QUALITIES.items()}
        for name, action in qualities.items():
            action.setCheckable(True)
            action.triggered.connect(lambda _checked=False, name=name: self._actions.set_quality(name))
            group.addAction(action)
            menu.addAction(action)
        return qualities

    def _add_info(self) -> None:
        if self._info not in self._help_menu.actions():
            self._help_menu.addAction(self._info)
