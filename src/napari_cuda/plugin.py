"""napari-cuda as a plugin of somebody's own napari: what `napari.yaml` names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cuda import api, settings
from napari_cuda.client.qt.connect_dialog import ConnectPanel
from napari_cuda.client.recent import RecentConnections

if TYPE_CHECKING:
    from napari_cuda.client.qt.window import StreamedViewer


class Connect(ConnectPanel):
    """*Plugins > Connect to server…*: asks for the address, and opens our window beside this one."""

    def __init__(self) -> None:
        super().__init__(RecentConnections(settings.recent_connections_file()), _open_window)


def _open_window(address: str, token: str | None) -> StreamedViewer:
    return api.connect(address, token=token)
