"""What the render loop reaches beyond itself: where its messages and frames go, and the widgets of a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from napari_cuda.protocol import messages as m
from napari_cuda.protocol import surface_messages as s
from napari_cuda.server.frames import RenderedFrame


class StateSink(Protocol):
    """Where state messages go; called on the render thread, must not block."""

    def broadcast(self, messages: Sequence[m.ServerMessage], then: Mapping[str, m.ServerMessage]) -> None:
        """Tell every viewer that has had its snapshot, and then some of them one message more."""

    def deliver(self, viewer: str, messages: Sequence[m.ServerMessage]) -> None:
        """Tell one viewer."""


class FrameSink(Protocol):
    """Where frames go; called on the render thread, must not block."""

    def wants_frame(self) -> bool:
        """Return True if at least one viewer's window has room."""

    def took_newest(self) -> bool:
        """Return True if at least one viewer's stream took the newest frame."""

    def wants_overlays(self) -> bool:
        """Return True if at least one viewer draws no overlays itself."""

    def round_trip_s(self) -> float:
        """Return how far away the nearest window is; 0 if there is none, or it is not known."""

    def publish(self, frame: RenderedFrame) -> None:
        """Offer a frame to every viewer's stream; the newest wins."""


class SurfaceHost(Protocol):
    """The widgets that viewers see and use; called on the render thread, `note` from any."""

    def note(self, viewer: str, query: s.SurfaceQuery) -> None:
        """Take what a viewer says beside its intents."""

    def apply(self, viewer: str, intent: s.SurfaceIntent) -> dict[str, str]:
        """Do what a viewer's hand did; return why something was not done."""

    def let_go(self, viewer: str) -> None:
        """A viewer's connection is gone."""

    def forget(self, viewer: str) -> None:
        """Tell a viewer nothing more."""

    def tell(self) -> None:
        """Tell the viewers what changed."""
