"""Thumbnails are told when they changed, and after a lost connection only what changed since."""

from __future__ import annotations

from napari_cuda.protocol import messages as m
from napari_cuda.server.scene.thumbnails import Thumbnails


def thumbnail(layer: str, grey: int) -> m.LayerThumbnail:
    return m.LayerThumbnail(layer, 1, 1, bytes([grey] * 4))


def test_the_same_picture_is_told_once() -> None:
    thumbnails = Thumbnails()
    assert thumbnails.changed([thumbnail("L1", 1), thumbnail("L2", 1)], 3) == [thumbnail("L1", 1), thumbnail("L2", 1)]
    assert thumbnails.changed([thumbnail("L1", 1), thumbnail("L2", 2)], 4) == [thumbnail("L2", 2)]
    assert thumbnails.changed([thumbnail("L2", 2)], 5) == []


def test_who_comes_back_gets_what_was_told_since() -> None:
    thumbnails = Thumbnails()
    thumbnails.changed([thumbnail("L1", 1), thumbnail("L2", 1)], 3)
    thumbnails.changed([thumbnail("L2", 2)], 5)
    assert thumbnails.since(0) == [thumbnail("L1", 1), thumbnail("L2", 2)]
    assert thumbnails.since(4) == [thumbnail("L2", 2)]
    # Told at revision 5, perhaps after the deltas of 5 and the loss.
    assert thumbnails.since(5) == [thumbnail("L2", 2)]
    assert thumbnails.since(6) == []


def test_a_layer_that_is_gone_has_none() -> None:
    thumbnails = Thumbnails()
    thumbnails.changed([thumbnail("L1", 1)], 1)
    thumbnails.forget("L1")
    assert thumbnails.since(0) == []
