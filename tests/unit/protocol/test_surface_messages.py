"""Which of the hand's events on a surface stand for others that wait with them."""

from __future__ import annotations

import pytest

from napari_cuda.protocol import surface_messages as s


def moved(number: int, surface: str = "S1", held: tuple[int, ...] = ()) -> s.SurfacePointer:
    return s.SurfacePointer(number, surface, "move", [number, 0], 0, list(held))


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (moved(1), moved(2)),
        (moved(1, held=(1,)), moved(2, held=(1,))),
        (s.SurfaceResize(1, "S1", (9, 9)), s.SurfaceResize(2, "S1", (8, 8))),
        (s.SurfaceTheme(1, "dark"), s.SurfaceTheme(2, "light")),
        (s.SurfaceFocus(1, ""), s.SurfaceFocus(2, "S2")),
    ],
)
def test_the_newer_says_it_all(older: s.SurfaceIntent, newer: s.SurfaceIntent) -> None:
    assert s.merged(older, newer) is newer


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (moved(1), moved(2, "S2")),
        (moved(1), moved(2, held=(1,))),
        (s.SurfacePointer(1, "S1", "press", [1, 1], 1, [1]), s.SurfacePointer(2, "S1", "press", [1, 1], 1, [1])),
        (s.SurfacePointer(1, "S1", "wheel", [1, 1]), s.SurfacePointer(2, "S1", "wheel", [1, 1])),
        (s.SurfaceKey(1, "S1", "press", 65), s.SurfaceKey(2, "S1", "press", 65)),
        (s.SurfaceResize(1, "S1", (9, 9)), s.SurfaceResize(2, "S2", (8, 8))),
        (s.SurfaceClose(1, "S1"), s.SurfaceClose(2, "S1")),
        (moved(1), s.SurfaceKey(2, "S1", "press", 65)),
    ],
)
def test_each_is_seen(older: s.SurfaceIntent, newer: s.SurfaceIntent) -> None:
    assert s.merged(older, newer) is None
