"""What a remote window has besides the scene: connect dialog, title, welcome, Remote menu, dialogs, notifications."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QApplication, QLabel, QMenu

import napari_cuda
from gl_window import application, require_display
from integration.conftest import Serve
from integration.test_window import pump_until
from napari_cuda.client.config import ClientConfig
from napari_cuda.client.qt import connect_dialog
from napari_cuda.client.qt.connect_dialog import ConnectDialog, ask_and_connect
from napari_cuda.client.qt.furniture import WindowFurniture
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.client.recent import Recent, RecentConnections
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.roles import VIEW_ONLY
from napari_cuda.server.auth import WRONG_TOKEN
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
        dialog.form.recent.setCurrentRow(0)
        assert dialog.form.address.text() == server.url
        dialog.form.token.setText("not-the-token-at-all")
        dialog.form.try_to_connect()
        errors.append(dialog.form.error.text())
        assert dialog.server is None
        dialog.form.token.setText(server.token)
        dialog.form.keep_token.setChecked(True)
        dialog.form.try_to_connect()

    patch.setattr(connect_dialog.ConnectDialog, "exec", use)
    application()
    viewer = ask_and_connect(recent, lambda url, token: napari_cuda.connect(url, token=token, timeout_s=60))
    patch.undo()
    assert errors == [f"the server refused us: {WRONG_TOKEN}"]
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


def banner(window: StreamedViewer) -> str:
    return window._session._host.facade._overlay._banner.text()


def welcome(window: StreamedViewer) -> str:
    return window.window._qt_viewer._welcome_widget._label.text()


def test_the_connection_is_remembered_with_the_token_only_as_asked(
    window: StreamedViewer, server: ServerProcess, recent: RecentConnections, tmp_path: Path
) -> None:
    assert recent.read() == [Recent(server.url, token=server.token)]
    dialog = ConnectDialog(recent.read(), lambda url, token: window.server)
    dialog.form.recent.setCurrentRow(0)
    assert (dialog.form.token.text(), dialog.form.keep_token.isChecked()) == (server.token, True)
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
        "Connect To…",
        "Reconnect Now",
        "Disconnect",
        "Copy Address",
        "Quality",
        "Stream Figures",
        "Viewer",
        "Interrupt the Script",
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


def test_disconnect_leaves_the_session(window: StreamedViewer, furniture: WindowFurniture) -> None:
    said = len(notification_manager.records)
    entries(furniture.menu.menu)["Disconnect"].trigger()
    assert title(window).endswith("— disconnected")
    assert welcome(window).endswith("you left the session")
    window.pump(0.3)
    assert len(notification_manager.records) == said, "who leaves knows it"
    now = entries(furniture.menu.menu)
    assert not any(now[name].isEnabled() for name in ("Disconnect", "Served Folders…", "Server Log…"))


@pytest.fixture
def left_at_the_end(window: StreamedViewer) -> Iterator[None]:
    """The session that a test began ends with it: its threads are the test's."""
    yield
    window._session.loop.link.leave()


@pytest.mark.usefixtures("left_at_the_end")
def test_reconnect_begins_another_session_in_the_same_window(
    window: StreamedViewer, furniture: WindowFurniture, server: ServerProcess
) -> None:
    window.scene.camera.zoom = 77.0  # set while there is no session: it concerns none
    entries(furniture.menu.menu)["Reconnect Now"].trigger()
    assert pump_until(window, lambda: title(window).endswith("— connected"))
    window.sync(30)
    assert window.scene.camera.zoom != 77.0
    window.add_points([[1.0, 2.0]], name="made after all")
    window.sync(30)
    with RawClient(server) as raw:
        assert [layer.values["name"] for layer in raw.snapshot.layers] == ["made after all"]
    window.layers.clear()
    window.sync(30)


@pytest.mark.usefixtures("left_at_the_end")
def test_a_wrong_token_says_what_to_do_and_the_same_window_goes_to_another_server(
    window: StreamedViewer,
    furniture: WindowFurniture,
    server: ServerProcess,
    serve_scene: Serve,
    recent: RecentConnections,
) -> None:
    other = serve_scene("flat", size=(320, 240))
    furniture.recent = recent
    entries(furniture.menu.menu)["Connect To…"].trigger()
    dialog = furniture.dialog
    assert dialog is not None
    dialog.form.address.setText(other.url)
    dialog.form.token.setText(server.token)  # as if it had been started anew
    dialog.form.try_to_connect()
    assert dialog.form.error.text() == f"the server refused us: {WRONG_TOKEN}"
    assert title(window).endswith("— disconnected")
    dialog.form.token.setText(other.token)
    dialog.form.try_to_connect()
    assert not dialog.isVisible()
    window.sync(30)
    assert len(window.layers) == 3
    assert (window.server.address, window.exact_screenshot().ndim) == (other.url, 3)
    assert [entry.address for entry in recent.read()] == [other.url, server.url]
    window._session.connect(ClientConfig.from_url(server.connect_url), 30)
    window.sync(30)
    assert len(window.layers) == 0


@pytest.mark.usefixtures("left_at_the_end")
def test_connecting_again_and_again_leaves_nothing_behind(window: StreamedViewer, server: ServerProcess) -> None:
    process = psutil.Process()

    def once() -> tuple[int, int]:
        window._session.loop.link.leave()
        window._session.connect(ClientConfig.from_url(server.connect_url), 30)
        window.sync(30)
        gc.collect()
        return threading.active_count(), process.num_fds()

    before = [once() for _ in range(2)][-1]
    after = [once() for _ in range(5)][-1]
    assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)


@pytest.mark.usefixtures("left_at_the_end")
def test_who_may_only_look_reads_it_in_the_window(
    window: StreamedViewer, furniture: WindowFurniture, server: ServerProcess
) -> None:
    window._session.connect(ClientConfig.from_url(server.view_url), 30)
    window.sync(30)
    assert title(window).endswith("— connected, view only")
    assert banner(window) == "View only"
    now = entries(furniture.menu.menu)
    assert not any(now[name].isEnabled() for name in ("Served Folders…", "Server Log…"))
    canvas = window._session._host.facade.adapter.canvas_size_px
    with RawClient(server) as raw:
        assert raw.refusals(m.CameraIntent(raw.next_intent(), {"zoom": 5.0})) == {}
        height, width = raw.snapshot.view["size"]
        fitted = 5.0 * min(canvas[0] / width, canvas[1] / height)
        assert pump_until(window, lambda: window.scene.camera.zoom == fitted), "it sees all that others do"
        size = [2 * height, width]
        assert raw.refusals(m.ViewIntent(raw.next_intent(), {"size": size})) == {}
        assert pump_until(window, lambda: window.scene.camera.zoom < 0.75 * fitted), "on a larger canvas, too"
        assert raw.refusals(m.ViewIntent(raw.next_intent(), {"size": [height, width]})) == {}
        assert pump_until(window, lambda: window.scene.camera.zoom == fitted)
    said = len(notification_manager.records)
    for step in range(20):
        window.scene.camera.zoom = fitted * (2 + step)
        window.pump(0.02)
    assert pump_until(window, lambda: window.scene.camera.zoom == fitted)
    words = [record.message for record in notification_manager.records[said:]]
    assert set(words) == {VIEW_ONLY}
    assert len(words) < 10, "not for each step"
