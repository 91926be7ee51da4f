"""What a remote window has besides the scene: connect dialog, title, welcome, Remote menu, dialogs, notifications."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QApplication, QLabel, QMenu

import napari_cuda
from gl_window import application, require_display
from integration.conftest import Serve
from integration.test_window import pump_until
from napari_cuda.client.qt import connect_dialog
from napari_cuda.client.qt.connect_dialog import ConnectDialog, ask_and_connect
from napari_cuda.client.qt.furniture import WindowFurniture
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.client.recent import Recent, RecentConnections
from napari_cuda.protocol import messages as m
from napari_cuda.server_process import ServerProcess
from raw_client import RawClient


@pytest.fixture(scope="module")
def server(serve: Serve) -> ServerProcess:
    return serve()


@pytest.fixture(scope="module")
def recent(tmp_path_factory: pytest.TempPathFactory, server: ServerProcess) -> RecentConnections:
    kept = RecentConnections(tmp_path_factory.mktemp("config") / "recent.json")
    kept.remember(Recent(server.url))
    return kept


@pytest.fixture(scope="module")
def window(server: ServerProcess, recent: RecentConnections) -> Iterator[StreamedViewer]:
    """The window, opened by the dialog: first with a wrong token, which it says, then with the right one."""
    require_display()
    patch = pytest.MonkeyPatch()
    errors: list[str] = []

    def use(dialog: ConnectDialog) -> None:
        dialog.recent.setCurrentRow(0)
        assert dialog.address.text() == server.url
        dialog.token.setText("not-the-token-at-all")
        dialog.try_to_connect()
        errors.append(dialog.error.text())
        assert dialog.viewer is None
        dialog.token.setText(server.token)
        dialog.keep_token.setChecked(True)
        dialog.try_to_connect()

    patch.setattr(connect_dialog.ConnectDialog, "exec", use)
    application()
    viewer = ask_and_connect(recent, lambda url, token: napari_cuda.connect(url, token=token, timeout_s=60))
    patch.undo()
    assert errors == ["the server refused us: wrong token: it changes with every start of the server"]
    assert viewer is not None
    viewer.sync(30)
    yield viewer
    viewer.close()


@pytest.fixture
def furniture(window: StreamedViewer) -> WindowFurniture:
    return window._session._host.furniture


def entries(menu: QMenu) -> dict[str, Any]:
    menu.aboutToShow.emit()
    return {action.text().replace("&", ""): action for action in menu.actions() if action.text()}


def title(window: StreamedViewer) -> str:
    return window.window._qt_window.windowTitle()


def welcome(window: StreamedViewer) -> str:
    return window.window._qt_viewer._welcome_widget._label.text()


def test_the_connection_is_remembered_with_the_token_only_as_asked(
    window: StreamedViewer, server: ServerProcess, recent: RecentConnections, tmp_path: Path
) -> None:
    assert recent.read() == [Recent(server.url, token=server.token)]
    dialog = ConnectDialog(recent.read(), lambda url, token: window)
    dialog.recent.setCurrentRow(0)
    assert (dialog.token.text(), dialog.keep_token.isChecked()) == (server.token, True)
    dialog.deleteLater()


def test_title_and_welcome_say_where_one_is(window: StreamedViewer, server: ServerProcess) -> None:
    assert title(window).endswith(f"127.0.0.1:{server.port}) — connected")
    assert window.window._qt_viewer._welcome_widget.isVisible()
    assert welcome(window).startswith("Nothing is open on ")
    assert "upload" in welcome(window)


def test_the_menu_stands_before_help(window: StreamedViewer, furniture: WindowFurniture) -> None:
    names = [action.text().replace("&", "") for action in window.window.main_menu.actions()]
    assert names[-2:] == ["Remote", "Help"]
    assert list(entries(furniture.menu.menu)) == [
        "Connection…",
        "Reconnect Now",
        "Disconnect",
        "Copy Address",
        "Quality",
        "Stream Figures",
        "Served Folders…",
        "Server Log…",
    ]
    assert "napari-cuda Info" in entries(window.window.help_menu)


def test_the_address_is_copied_without_the_token(
    window: StreamedViewer, furniture: WindowFurniture, server: ServerProcess
) -> None:
    entries(furniture.menu.menu)["Copy Address"].trigger()
    assert QApplication.clipboard().text() == server.url


def test_the_quality_is_the_sessions(window: StreamedViewer, furniture: WindowFurniture) -> None:
    choices = {action.text(): action for action in entries(furniture.menu.menu)["Quality"].menu().actions()}
    assert [name for name, action in choices.items() if action.isChecked()] == ["&Automatic"]
    choices["&Full"].trigger()
    window.sync(30)
    assert window.rendering.quality == "full"
    entries(furniture.menu.menu)
    assert [name for name, action in choices.items() if action.isChecked()] == ["&Full"]
    choices["&Automatic"].trigger()
    window.sync(30)


def test_the_connection_dialog_has_both_versions_and_the_round_trip(
    window: StreamedViewer, furniture: WindowFurniture
) -> None:
    entries(furniture.menu.menu)["Connection…"].trigger()
    assert pump_until(window, lambda: furniture.facts().round_trip_s is not None)
    furniture.connection.refresh()
    words = [label.text() for label in furniture.connection.findChildren(QLabel)]
    assert sum(f"napari-cuda {napari_cuda.__version__} (napari " in word for word in words) == 2
    assert "Round trip:" in words
    furniture.connection.close()


def test_the_servers_log_is_followed_and_has_no_token(
    window: StreamedViewer, furniture: WindowFurniture, server: ServerProcess
) -> None:
    entries(furniture.menu.menu)["Server Log…"].trigger()
    assert pump_until(window, lambda: "joined" in furniture.log.text.toPlainText())
    with RawClient(server):
        pass
    assert pump_until(window, lambda: "joined: a test" in furniture.log.text.toPlainText())
    text = furniture.log.text.toPlainText()
    assert len(text.splitlines()) == len(set(text.splitlines())), "lines come twice"
    assert server.token not in text
    furniture.log.close()


def test_an_error_of_the_server_is_notified_once(window: StreamedViewer) -> None:
    said = len(notification_manager.records)
    window._session.loop.link._on_event(m.Error("render.failed", "the server could not draw the scene: no"))
    words = [record.message for record in notification_manager.records[said:]]
    assert words == ["the server could not draw the scene: no"]


def test_reconnect_now_keeps_the_session(window: StreamedViewer, furniture: WindowFurniture) -> None:
    titles: list[str] = []
    window.events.title.connect(lambda event: titles.append(event.value.rpartition(" — ")[2]))
    viewer = window._session.loop.link.welcome.viewer
    entries(furniture.menu.menu)["Reconnect Now"].trigger()
    assert pump_until(window, lambda: "connected" in titles)
    assert titles == ["reconnecting", "connecting", "connected"]
    assert window._session.loop.link.welcome.viewer == viewer


def test_disconnect_is_for_good(window: StreamedViewer, furniture: WindowFurniture, server: ServerProcess) -> None:
    said = len(notification_manager.records)
    entries(furniture.menu.menu)["Disconnect"].trigger()
    assert title(window).endswith("— disconnected")
    assert welcome(window).endswith("you left the session")
    window.pump(0.3)
    assert len(notification_manager.records) == said, "who leaves knows it"
    now = entries(furniture.menu.menu)
    assert not any(now[name].isEnabled() for name in ("Reconnect Now", "Disconnect", "Served Folders…", "Server Log…"))
