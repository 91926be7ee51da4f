"""WindowFurniture: title, welcome text, Remote menu and dialogs of a connected window. Owner: GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from urllib.parse import urlsplit

import napari
from qtpy.QtGui import QAction, QGuiApplication
from qtpy.QtWidgets import QDockWidget

from napari_cuda import settings
from napari_cuda.client.config import ClientConfig
from napari_cuda.client.connection_text import ConnectionFacts, connection_rows, welcome_text, window_title
from napari_cuda.client.loop_state import LoopPhase
from napari_cuda.client.qt.connect_dialog import ConnectDialog
from napari_cuda.client.qt.connection_dialog import ConnectionDialog
from napari_cuda.client.qt.napari_adapter import main_window, set_welcome_text
from napari_cuda.client.qt.plugin_menus import PluginActions, PluginMenus
from napari_cuda.client.qt.remote_menu import RemoteActions, RemoteMenu
from napari_cuda.client.qt.server_log import ServerLogDialog
from napari_cuda.client.recent import RecentConnections
from napari_cuda.client.remote_session import RemoteSession
from napari_cuda.protocol import messages as m
from napari_cuda.view import Quality

CONNECT_WITHIN_S = 30.0
"""As `napari-cuda connect` unless it is told otherwise."""

OWN_VERSION = f"napari-cuda {version('napari-cuda')} (napari {napari.__version__})"


class WindowFurniture:
    """Owner: GUI thread. Everything the window has besides the scene, for as long as the window is there."""

    def __init__(
        self,
        viewer: napari.Viewer,
        session: RemoteSession,
        *,
        figures: QAction,
        show_roots: Callable[[], object],
        surface_dock: Callable[[str], QDockWidget | None],
    ) -> None:
        """`figures` switches the HUD; `show_roots` shows the folders that the server serves; `surface_dock` finds the
        dock of a widget of the server by its title.
        """
        self._viewer = viewer
        self._session = session
        self.recent = RecentConnections(settings.recent_connections_file())
        state, link = session.loop.state, session.loop.link
        state.on_phase = self._show_phase
        link.on_log = self._show_log_lines
        window = main_window(viewer)
        self.log = ServerLogDialog(window, link.ask)
        self.connection = ConnectionDialog(
            window,
            lambda: connection_rows(self.facts()),
            [("Copy Address", self._copy_address), ("Disconnect", link.leave), ("Reconnect Now", session.reconnect)],
        )
        actions = RemoteActions(
            show_connection=self.connection.open_now,
            connect_to=self.ask_where_to_connect,
            reconnect=session.reconnect,
            leave=link.leave,
            interrupt=session.interrupt,
            copy_address=self._copy_address,
            show_log=self.log.open_now,
            show_roots=show_roots,
            quality=lambda: session.mirror.view.rendering.quality,
            set_quality=self._set_quality,
            open_session=lambda: state.phase is not LoopPhase.STOPPED,
            role=lambda: state.role,
            viewers=lambda: state.viewers,
            show_viewer=lambda viewer: session.mirror.command("script.show_viewer", viewer=viewer),
            busy=lambda: bool(state.busy),
        )
        self.menu = RemoteMenu(viewer, actions, figures)
        self.plugins = PluginMenus(
            viewer,
            PluginActions(
                entries=lambda: state.plugins.entries,
                may_run=lambda: state.phase is not LoopPhase.STOPPED and state.role == "control",
                run=lambda command: session.mirror.command("plugin.run", command=command),
                open_sample=lambda sample: session.data.open([f"sample:{sample}"]),
                dock=surface_dock,
            ),
        )
        self._show_phase()

    def ask_where_to_connect(self) -> None:
        """Let the user choose another server, or another session, for this window."""

        def connect(address: str, token: str | None) -> ClientConfig:
            self._session.connect(ClientConfig.from_url(address, token=token), CONNECT_WITHIN_S)
            return self._session.config

        def finished(_result: int) -> None:
            if dialog.server is not None:
                welcome = self._session.loop.link.welcome
                dialog.form.remember(self.recent, welcome.title if welcome is not None else "")
            dialog.deleteLater()

        self.dialog = dialog = ConnectDialog(self.recent.read(), connect, main_window(self._viewer))
        dialog.finished.connect(finished)
        dialog.open()

    def facts(self) -> ConnectionFacts:
        """Return what is known of the connection now."""
        loop = self._session.loop
        state = loop.state
        trip = loop.metrics.stage("round_trip", 1)
        return ConnectionFacts(
            address=urlsplit(self._session.config.base).netloc,
            phase=state.phase,
            reason=state.ended or state.trouble,
            welcome=loop.link.welcome,
            round_trip_s=trip.p50_s if trip is not None else None,
            decoder=loop.pipeline.name,
            own_version=OWN_VERSION,
        )

    def _show_phase(self) -> None:
        facts = self.facts()
        self._viewer.title = window_title(facts)
        set_welcome_text(self._viewer, welcome_text(facts))

    def _set_quality(self, quality: Quality) -> None:
        self._session.mirror.view.rendering.quality = quality

    def _show_log_lines(self, lines: m.LogLines) -> None:
        self.log.add(lines)

    def _copy_address(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self._session.config.address)
