"""SurfaceFeed: what one viewer was told of the surfaces, and what it may be told now. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from napari_cuda.protocol import surface_messages as s
from napari_cuda.server.render.surface_picture import Rectangle, SurfacePicture, few

LIST = ""
"""As which surface the list is acknowledged."""


@dataclass(slots=True)
class _Shown:
    """What a viewer has of one surface."""

    size: tuple[int, int] | None = None
    """Of its picture; None while it has none."""
    lacks: list[Rectangle] = field(default_factory=list)
    awaited: int = 0
    """Revision of the update on its way; 0: none is, and the next may go."""


class SurfaceFeed:
    """Owner: render thread.

    Of each surface one update is on its way at most, and the list likewise: on a slow link what changes meanwhile goes
    together into the next one, and nothing waits in a queue.
    """

    def __init__(self) -> None:
        self._list: list[s.Surface] = []
        self._lists = 0
        self._list_awaited = 0
        self._shown: dict[str, _Shown] = {}

    def damaged(self, surface: str, rectangles: Sequence[Rectangle]) -> None:
        """These rectangles of a surface's picture are others now."""
        shown = self._shown.get(surface)
        if shown is not None:
            shown.lacks = few([*shown.lacks, *rectangles])

    def acked(self, ack: s.SurfaceAck) -> None:
        """The viewer shows what it was told."""
        if ack.surface == LIST:
            if ack.revision == self._list_awaited:
                self._list_awaited = 0
            return
        shown = self._shown.get(ack.surface)
        if shown is not None and ack.revision == shown.awaited:
            shown.awaited = 0

    def due(self, surfaces: list[s.Surface], pictures: Mapping[str, SurfacePicture]) -> list[s.SurfaceNews]:
        """Return what the viewer is to be told now."""
        news: list[s.SurfaceNews] = []
        if not self._list_awaited and (surfaces != self._list or not self._lists):
            self._lists += 1
            self._list, self._list_awaited = surfaces, self._lists
            self._shown = {one.surface: self._shown.get(one.surface, _Shown()) for one in surfaces}
            news.append(s.SurfaceList(self._lists, surfaces))
        for surface, shown in self._shown.items():
            picture = pictures.get(surface)
            if picture is None or not picture.revision or shown.awaited:
                continue
            if shown.size != picture.size:
                shown.size, shown.lacks = picture.size, [picture.whole]
            if shown.lacks:
                news.append(picture.update(surface, shown.lacks))
                shown.lacks, shown.awaited = [], picture.revision
        return news
