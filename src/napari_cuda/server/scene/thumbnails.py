"""Thumbnails: which of the layers' thumbnails a viewer has not seen."""

from __future__ import annotations

from collections.abc import Iterable

from napari_cuda.protocol import messages as m


class Thumbnails:
    """The newest thumbnail of each layer, and as of which revision it was told. Owner: render thread. Pure.

    A thumbnail is no property: it has no revision of its own and may be told after the revision that changed it.
    """

    def __init__(self) -> None:
        self._told: dict[str, tuple[int, m.LayerThumbnail]] = {}
        """Bound: one of 4 kB per layer."""

    def changed(self, seen: Iterable[m.LayerThumbnail], revision: int) -> list[m.LayerThumbnail]:
        """Take over thumbnails that may have changed, told at `revision`; return those that did."""
        news = [thumbnail for thumbnail in seen if self._told.get(thumbnail.layer, (0, None))[1] != thumbnail]
        self._told |= {thumbnail.layer: (revision, thumbnail) for thumbnail in news}
        return news

    def since(self, revision: int) -> list[m.LayerThumbnail]:
        """Return those that a viewer that knows the scene up to `revision` may not have (0: all)."""
        return [thumbnail for told, thumbnail in self._told.values() if told >= revision]

    def forget(self, layer: str) -> None:
        """Drop a layer that is gone."""
        self._told.pop(layer, None)
