"""Plugins of the server, which the client does not have: their commands, widgets and samples in the window's menus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from napari.utils.key_bindings import KeymapHandler
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtGui import QAction
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDockWidget, QMenu

import plugin_package
from integration.conftest import Connect, connected_window
from integration.test_window import pump_until
from integration.test_window_furniture import banner, entries
from napari_cuda.client.headless import RemoteViewer
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.protocol import messages as m
from napari_cuda.server_process import ServerProcess
from served_script import run_script, wait_for
from surface_scripts import Hands


@pytest.fixture(scope="module", autouse=True)
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """All servers of this file have the plugin; this process, whose plugins are known already, has not."""
    folder = tmp_path_factory.mktemp("site")
    plugin_package.write(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        yield


@pytest.fixture(scope="module")
def server(plugin: None) -> Iterator[ServerProcess]:
    with ServerProcess([]) as server:
        yield server


@pytest.fixture(scope="module")
def window(server: ServerProcess) -> Iterator[StreamedViewer]:
    with connected_window(server) as window:
        yield window


def below(menu: QMenu, *names: str) -> dict[str, QAction]:
    """Return the entries of a submenu."""
    for name in names:
        menu = entries(menu)[name].menu()
    return entries(menu)


def names(window: StreamedViewer) -> list[str]:
    return [layer.name for layer in window.layers]


def said_after(window: StreamedViewer, action: QAction, said: int) -> str:
    action.trigger()
    assert pump_until(window, lambda: len(notification_manager.records) > said)
    window.sync(30)
    (record,) = notification_manager.records[said:]
    return str(record.message)


def test_commands_run_on_the_server_with_its_viewer(window: StreamedViewer) -> None:
    cells = below(window.window.plugins_menu, "On the Server", "Cells  Co")
    assert list(cells) == ["Panel", "Count", "Ask", "Fail", "Make", "Spin"]
    cells["Count"].trigger()
    assert pump_until(window, lambda: names(window) == ["counted"])
    cells["Make"].trigger()
    assert pump_until(window, lambda: len(window.layers) == 2)
    assert window.layers[1].remote_kind == "image"
    said = len(notification_manager.records)
    assert said_after(window, cells["Fail"], said) == "Cells & Co: Fail failed: RuntimeError: no cells in counted"
    window.layers.clear()
    window.sync(30)


def test_a_widget_opens_in_a_dock_here_and_works_there(window: StreamedViewer, tmp_path: Path) -> None:
    def entry() -> QAction:
        return below(window.window.plugins_menu, "On the Server", "Cells  Co")["Panel"]

    hands, title = Hands(window, tmp_path), "Panel (Cells & Co)"
    assert not entry().isChecked()
    entry().trigger()
    view = hands.view(title)
    dock = view.parent()
    assert isinstance(dock, QDockWidget)
    assert pump_until(window, lambda: entry().isChecked())
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.rect().center())
    assert pump_until(window, lambda: names(window) == ["of the panel"])
    # What it raises where Qt calls it is said here, and ends nothing.
    said = len(notification_manager.records)
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.rect().center())
    assert pump_until(window, lambda: len(notification_manager.records) > said)
    assert notification_manager.records[said].message == "there are cells"
    # Its entry shows and hides the dock, as those of the plugins here do; closed by the cross it is made anew.
    entry().trigger()
    assert not dock.isVisible() and not entry().isChecked()
    entry().trigger()
    assert dock.isVisible()
    dock.title.close_button.click()
    assert pump_until(window, lambda: view.gone)
    entry().trigger()
    again = hands.view(title)
    assert again is not view
    assert pump_until(window, lambda: entry().isChecked())
    again.parent().title.close_button.click()
    assert pump_until(window, lambda: again.gone)
    window.layers.clear()
    window.sync(30)


def test_a_command_that_asks_is_answered_here(window: StreamedViewer, tmp_path: Path) -> None:
    below(window.window.plugins_menu, "On the Server", "Cells  Co")["Ask"].trigger()
    dialog = Hands(window, tmp_path).view("sure")
    assert (window.exact_screenshot()[..., 3] == 255).all(), "the session goes on"
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert pump_until(window, lambda: names(window) == ["No"])
    window.layers.clear()
    window.sync(30)


def test_samples_of_the_server_are_opened(window: StreamedViewer) -> None:
    below(window.window.file_menu, "Open Sample", "On the Server", "Cells  Co")["Some cells"].trigger()
    assert pump_until(window, lambda: names(window) == ["of the sample"])
    assert "Balls (3D)" in below(window.window.file_menu, "Open Sample", "On the Server", "napari builtins")
    window.layers.clear()
    window.sync(30)


def test_a_plugin_that_keeps_the_server_is_interrupted(window: StreamedViewer) -> None:
    said = len(notification_manager.records)
    below(window.window.plugins_menu, "On the Server", "Cells  Co")["Spin"].trigger()
    assert pump_until(window, lambda: banner(window).startswith("a plugin keeps the server at work, for "))
    text = said_after(window, entries(window._session._host.furniture.menu.menu)["Interrupt the Script"], said)
    assert text.startswith("a plugin was interrupted, and the server goes on:\n") and "in spin\n" in text
    assert pump_until(window, lambda: banner(window) == "")


def test_who_may_only_look_is_offered_nothing(window: StreamedViewer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert entries(window.window.plugins_menu)["On the Server"].menu().isEnabled()
    monkeypatch.setattr(window._session.loop.state, "role", "view")
    assert not entries(window.window.plugins_menu)["On the Server"].menu().isEnabled()


def press(viewer: RemoteViewer, key: str) -> None:
    keyboard = KeymapHandler()
    keyboard.keymap_providers = [viewer]
    wait_for(viewer, lambda: key.upper() in map(str, viewer.keymap))
    keyboard.press_key(key)
    keyboard.release_key(key)


SCRIPT = """
import napari
from npe2 import DynamicPlugin, PluginManager
viewer = napari.Viewer()
def note(viewer):
    viewer.title = ", ".join(viewer.window.dock_widgets)
viewer.bind_key("n", note)
def another(viewer):
    plugin = DynamicPlugin("made-here", plugin_manager=PluginManager.instance())
    plugin.register()
    plugin.contribute.command(id="made-here.rename", title="Rename")(lambda: None)
viewer.bind_key("a", another)
napari.run()
"""


@pytest.mark.slow
def test_widgets_are_put_into_the_window_of_a_script_s_viewer(tmp_path: Path, connect: Connect) -> None:
    (tmp_path / "work.py").write_text(SCRIPT)
    with run_script(tmp_path / "work.py") as server:
        viewer = connect(server)
        state, ask = viewer._session.loop.state, viewer._session.mirror.command
        wait_for(viewer, lambda: bool(state.plugins.entries))
        assert m.PluginEntry("Cells & Co", "widget", "cells-plugin.panel", "Panel") in state.plugins.entries
        ask("plugin.run", command="cells-plugin.panel")
        wait_for(viewer, lambda: [one.title for one in state.viewers.viewers] == ["with a panel"])
        press(viewer, "n")
        wait_for(viewer, lambda: [one.title for one in state.viewers.viewers] == ["Panel (Cells & Co)"])
        press(viewer, "a")
        wait_for(
            viewer, lambda: m.PluginEntry("made-here", "command", "made-here.rename", "Rename") in state.plugins.entries
        )
        ask("plugin.run", command="cells-plugin.count")
        wait_for(viewer, lambda: [layer.name for layer in viewer.layers] == ["counted"])
        told: list[str] = []
        viewer._session._host.notify = told.append
        ask("plugin.run", command="cells-plugin.nothing")
        wait_for(viewer, lambda: bool(told))
        assert told == ["no plugin of this server has a command 'cells-plugin.nothing' (any more)"]
