"""PluginMenus: what the server's plugins offer, in napari's menus Plugins and File > Open Sample. Owner: GUI thread."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import napari
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QDockWidget, QMenu

from napari_cuda.protocol.messages import PluginEntry

TITLE = "On the &Server"


@dataclass(frozen=True, slots=True)
class PluginActions:
    """What the entries do, and what is known of them."""

    entries: Callable[[], list[PluginEntry]]
    may_run: Callable[[], bool]
    run: Callable[[str], object]
    """A command or a widget, by its id."""
    open_sample: Callable[[str], object]
    dock: Callable[[str], QDockWidget | None]
    """The dock here that shows a widget of the server, by its title."""


class PluginMenus:
    """Owner: GUI thread. Entries are looked up when a menu opens, and stand apart from those of the plugins here."""

    def __init__(self, viewer: napari.Viewer, actions: PluginActions) -> None:
        self._actions = actions
        self._plugins: QMenu = viewer.window.plugins_menu
        self._file: QMenu = viewer.window.file_menu
        self.commands = QMenu(TITLE, self._plugins)
        self.samples = QMenu(TITLE, self._file)
        # napari builds its menus anew when a plugin adds to them.
        self._plugins.aboutToShow.connect(self._add_commands)
        self._file.aboutToShow.connect(self._add_samples)
        self._add_commands()
        self._add_samples()

    def _add_commands(self) -> None:
        _put_into(self._plugins, self.commands)
        self._fill(self.commands, {"command", "widget"}, self._actions.run)

    def _add_samples(self) -> None:
        found = (action.menu() for action in self._file.actions() if action.text().replace("&", "") == "Open Sample")
        menu = next((menu for menu in found if menu is not None), None)
        if menu is not None:
            _put_into(menu, self.samples)
            self._fill(self.samples, {"sample"}, self._actions.open_sample)

    def _fill(self, menu: QMenu, kinds: Collection[str], act: Callable[[str], object]) -> None:
        menu.clear()
        submenus: dict[str, QMenu] = {}
        for entry in self._actions.entries():
            if entry.kind not in kinds:
                continue
            if entry.plugin not in submenus:
                submenus[entry.plugin] = QMenu(_plain(entry.plugin), menu)
                menu.addMenu(submenus[entry.plugin])
            action = QAction(_plain(entry.title), submenus[entry.plugin])
            action.triggered.connect(lambda _checked=False, chosen=entry: self._act(chosen, act))
            if entry.kind == "widget":
                dock = self._actions.dock(entry.dock_title)
                action.setCheckable(True)
                action.setChecked(dock is not None and dock.isVisible())
            submenus[entry.plugin].addAction(action)
        menu.setEnabled(bool(submenus) and self._actions.may_run())

    def _act(self, entry: PluginEntry, act: Callable[[str], object]) -> None:
        """Do what an entry says; one of a widget that is there shows and hides its dock, as napari's do."""
        dock = self._actions.dock(entry.dock_title) if entry.kind == "widget" else None
        if dock is None:
            act(entry.id)
        elif dock.isVisible():
            dock.hide()
        else:
            dock.show()
            dock.raise_()  # it may lie below another


def _put_into(menu: QMenu, submenu: QMenu) -> None:
    if submenu.menuAction() not in menu.actions():
        menu.addMenu(submenu)


def _plain(text: str) -> str:
    """Return a text as a menu shows it, and not with a letter underlined."""
    return text.replace("&", "&&")
