"""napari-cuda in the Plugins menu of stock napari: a server's window opens beside, and the local viewer stays whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import napari
import numpy as np
import numpy.typing as npt
import pytest
from napari._app_model import get_app_model
from npe2 import PluginManifest
from qtpy.QtWidgets import QMenu

import napari_cuda
from gl_window import application, require_display
from integration.conftest import Serve
from napari_cuda import settings
from napari_cuda.client.qt.window import StreamedViewer
from napari_cuda.client.recent import Recent, RecentConnections
from napari_cuda.plugin import Connect
from napari_cuda.server_process import ServerProcess

ENTRY = "Connect to server… (napari-cuda)"


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[napari.Viewer]:
    """Somebody's own napari, with a layer that is drawn here."""
    require_display()
    application()
    monkeypatch.setattr(settings, "recent_connections_file", lambda: tmp_path / "recent.json")
    viewer = napari.Viewer()
    viewer.window._qt_window.resize(900, 600)
    viewer.add_image(np.arange(64.0).reshape(8, 8), name="mine", colormap="viridis")
    yield viewer
    napari.Viewer.close_all()


@pytest.fixture
def server(serve_scene: Serve) -> ServerProcess:
    return serve_scene("flat", size=(320, 240))


def trigger(menu: QMenu, text: str) -> None:
    menu.aboutToShow.emit()
    (action,) = [action for action in menu.actions() if action.text().replace("&", "") == text]
    action.trigger()


def own_picture(viewer: napari.Viewer) -> npt.NDArray[np.uint8]:
    # In one size: the window keeps the room that a dock took.
    picture: npt.NDArray[np.uint8] = viewer.screenshot(size=(240, 320), scale=1, flash=False)
    return picture


def test_the_menu_of_stock_napari_opens_a_window_of_a_server(local: napari.Viewer, server: ServerProcess) -> None:
    before = own_picture(local)
    trigger(local.window.plugins_menu, ENTRY)
    panel = local.window.dock_widgets[ENTRY]
    assert isinstance(panel, Connect)
    panel.form.address.setText(server.url)
    panel.form.token.setText("not-the-token-at-all")
    panel.button.click()
    assert panel.form.error.text().startswith("the server refused us: ")
    assert napari.current_viewer() is local and panel.form.server is None
    panel.form.token.setText(server.token)
    panel.button.click()
    assert panel.form.error.text() == ""
    remote = napari.current_viewer()
    assert isinstance(remote, StreamedViewer)
    remote.sync(30)
    with napari_cuda.connect(server.connect_url, window=False) as other:
        assert len(remote.layers) == len(other.layers) == 3
        assert (remote.exact_screenshot() == other.screenshot()).all()
    assert RecentConnections(settings.recent_connections_file()).read() == [Recent(server.url, remote.session_title)]
    assert panel.form.token.text() == "" and panel.form.recent.count() == 1

    # The local viewer, with the other window beside it: what it draws, its layers, its menus.
    local.window.remove_dock_widget(panel)
    assert (own_picture(local) == before).all()
    labels = local.add_labels(np.eye(8, dtype=int), name="also mine")
    assert not (own_picture(local) == before).all()
    assert [layer.name for layer in remote.layers] != [layer.name for layer in local.layers]
    remote.sync(30)
    remote.close()
    assert napari.current_viewer() is local
    local.layers.selection.active = labels
    get_app_model().commands.execute_command("napari.layer.duplicate").result()
    assert local.layers[-1].name == "also mine copy"
    local.layers.remove("also mine copy")
    local.layers.remove(labels)
    assert (own_picture(local) == before).all()


def test_the_manifest_is_found_and_names_what_there_is() -> None:
    manifest = PluginManifest.from_distribution("napari-cuda")
    manifest.validate_imports()
    assert [widget.display_name for widget in manifest.contributions.widgets or ()] == ["Connect to server…"]
