from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.client.decode.emulated import PlaneSurface
from napari_cuda.client.decode.h264 import H264Decoder
from napari_cuda.client.decode.live import DecoderCounts
from napari_cuda.client.decode.surface_pool import SurfacePool
from streams import PacketSource

PICTURE = H264Decoder().decode(PacketSource().access_unit()[1])


def surface(pool: SurfacePool, pts: int = 0) -> PlaneSurface:
    return PlaneSurface(PICTURE, pts, pool)


def test_a_surface_counts_from_its_promise_until_it_is_closed() -> None:
    pool = SurfacePool(2)
    assert pool.promise()
    assert pool.counts() == DecoderCounts(in_flight=1, surfaces=1)
    pool.put(surface(pool))
    assert pool.counts() == DecoderCounts(in_flight=1, surfaces=1)
    taken = pool.take(0.0)
    assert taken is not None
    assert pool.counts() == DecoderCounts(in_flight=0, surfaces=1)
    taken.close()
    assert pool.counts() == DecoderCounts(in_flight=0, surfaces=0)


def test_more_than_there_are_is_not_promised() -> None:
    pool = SurfacePool(2)
    assert [pool.promise() for _ in range(3)] == [True, True, False]


def test_a_surface_can_overtake_those_that_wait() -> None:
    pool = SurfacePool()
    for pts, ahead_of in enumerate((0, 0, 2, 5, 1)):
        pool.promise()
        pool.put(surface(pool, pts), ahead_of=ahead_of)
    assert [pool.take(0.0).pts for _ in range(5)] == [3, 2, 0, 4, 1]  # type: ignore[union-attr]


def test_clear_closes_what_waits_and_forgets_promises() -> None:
    pool = SurfacePool()
    for _ in range(3):
        pool.promise()
    pool.put(surface(pool))
    pool.clear()
    assert pool.counts() == DecoderCounts(0, 0)
    assert pool.take(0.0) is None


def test_a_surface_can_be_put_back() -> None:
    pool = SurfacePool()
    for pts in range(2):
        pool.promise()
        pool.put(surface(pool, pts))
    taken = pool.take(0.0)
    assert taken is not None
    pool.put_back(taken)
    assert pool.counts() == DecoderCounts(2, 2)
    assert pool.take(0.0) is taken
    pool.close()
    pool.put_back(taken)
    assert pool.counts() == DecoderCounts(0, 0)


def test_nobody_waits_for_a_closed_pool() -> None:
    pool = SurfacePool()
    pool.close()
    assert pool.take(3600.0) is None


@given(st.lists(st.sampled_from(["promise", "put", "take", "free", "clear"]), max_size=60))
def test_the_counts_are_those_of_a_simple_model(steps: list[str]) -> None:
    pool, promised, waiting, out = SurfacePool(4), 0, 0, []
    for step in steps:
        if step == "promise":
            assert pool.promise() == (promised + waiting + len(out) < 4)
            promised += promised + waiting + len(out) < 4
        elif step == "put" and promised:
            pool.put(surface(pool))
            promised, waiting = promised - 1, waiting + 1
        elif step == "take":
            taken = pool.take(0.0)
            assert (taken is not None) == (waiting > 0)
            if taken is not None:
                out.append(taken)
                waiting -= 1
        elif step == "free" and out:
            out.pop().close()
        elif step == "clear":
            pool.clear()
            promised = waiting = 0
        assert pool.counts() == DecoderCounts(promised + waiting, promised + waiting + len(out))
