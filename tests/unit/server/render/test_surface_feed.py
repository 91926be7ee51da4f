"""SurfaceFeed: one update per surface is under way, and what a viewer has at the end is all there is."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.protocol import surface_messages as s
from napari_cuda.server.render.surface_feed import SurfaceFeed
from napari_cuda.server.render.surface_picture import SurfacePicture

Words = npt.NDArray[np.uint32]


class There:
    """A client: does what it is told, and answers when asked to."""

    def __init__(self) -> None:
        self.pictures: dict[str, Words] = {}
        self.waiting: list[s.SurfaceAck] = []

    def take(self, news: list[s.SurfaceNews]) -> None:
        for one in news:
            if isinstance(one, s.SurfaceList):
                listed = {about.surface for about in one.surfaces}
                self.pictures = {name: self.pictures.get(name, np.zeros((0, 0), np.uint32)) for name in listed}
                self.waiting.append(s.SurfaceAck("", one.revision))
            elif isinstance(one, s.SurfaceUpdate):
                self._update(one)

    def _update(self, update: s.SurfaceUpdate) -> None:
        assert update.surface in self.pictures, "an update of what is not listed"
        assert not [ack for ack in self.waiting if ack.surface == update.surface], "two updates under way"
        width, height = update.size
        if self.pictures[update.surface].shape != (height, width):
            self.pictures[update.surface] = np.zeros((height, width), np.uint32)
        for block in update.blocks:
            rows = np.frombuffer(zlib.decompress(block.pixels), np.uint32).reshape(block.height, block.width)
            self.pictures[update.surface][block.y : block.y + block.height, block.x : block.x + block.width] = rows
        self.waiting.append(s.SurfaceAck(update.surface, update.revision))


class Here:
    """The server's side, for one viewer."""

    def __init__(self) -> None:
        self.feed = SurfaceFeed()
        self.words: dict[str, Words] = {}
        self.pictures: dict[str, SurfacePicture] = {}
        self.closed = 0

    def paint(self, name: str, size: tuple[int, int], at: int, colour: int) -> None:
        name = f"{name}.{self.closed}"  # a name is never used again
        words = self.words.get(name, np.zeros((0, 0), np.uint32))
        words = words.copy() if words.shape == size else np.zeros(size, np.uint32)
        words.flat[at % words.size] = colour
        self.words[name] = words
        news = self.pictures.setdefault(name, SurfacePicture()).show(words, 1.0)
        self.feed.damaged(name, news)

    def close(self, name: str) -> None:
        self.words = {known: words for known, words in self.words.items() if not known.startswith(name)}
        self.pictures = {known: self.pictures[known] for known in self.words}
        self.closed += 1

    def turn(self, there: There) -> None:
        surfaces = [s.Surface(name, "dock", words.shape[::-1]) for name, words in self.words.items()]
        there.take(self.feed.due(surfaces, self.pictures))


NAMES = st.sampled_from(("S1", "S2"))
SIZES = st.sampled_from(((40, 50), (70, 30)))
STEP = st.one_of(
    st.tuples(st.just("paint"), NAMES, SIZES, st.integers(0, 2000), st.integers(0, 9)),
    st.tuples(st.just("close"), NAMES),
    st.tuples(st.just("turn")),
    st.tuples(st.just("ack"), st.integers(0, 5)),
)


@given(st.lists(STEP, max_size=40))
def test_whatever_happens_the_viewer_has_it_all_in_the_end(steps: list[tuple[object, ...]]) -> None:
    here, there = Here(), There()
    for kind, *rest in steps:
        if kind == "ack" and there.waiting:
            here.feed.acked(there.waiting.pop(int(str(rest[0])) % len(there.waiting)))
        elif kind == "turn":
            here.turn(there)
        elif kind == "paint":
            here.paint(*rest)  # type: ignore[arg-type]
        elif kind == "close":
            here.close(str(rest[0]))
    for _ in range(4):
        here.turn(there)
        while there.waiting:
            here.feed.acked(there.waiting.pop())
    assert there.pictures.keys() == here.words.keys()
    for name, words in here.words.items():
        assert (there.pictures[name] == words).all()


def test_what_does_not_change_is_not_told() -> None:
    here, there = Here(), There()
    here.paint("S1", (40, 50), 3, 1)
    here.turn(there)
    assert {ack.surface for ack in there.waiting} == {"", "S1.0"}
    for ack in there.waiting:
        here.feed.acked(ack)
    there.waiting.clear()
    here.turn(there)
    assert not there.waiting


def test_changes_while_an_update_is_under_way_go_together() -> None:
    here, there = Here(), There()
    here.paint("S1", (40, 50), 3, 1)
    here.turn(there)
    for at in range(100):
        here.paint("S1", (40, 50), at, 2)
        here.turn(there)
    assert len(there.waiting) == 2
    for ack in list(there.waiting):
        here.feed.acked(ack)
    there.waiting.clear()
    here.turn(there)
    assert [ack.revision for ack in there.waiting] == [here.pictures["S1.0"].revision]
    assert (there.pictures["S1.0"] == here.words["S1.0"]).all()
