from __future__ import annotations

import gc
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from napari_cuda.protocol.packet import CameraPose
from napari_cuda.server.frames import BufferPool, PixelBuffer, RenderedFrame


def address(buffer: PixelBuffer) -> int:
    return buffer.rgba.__array_interface__["data"][0]


def test_a_buffer_is_height_by_width_rgba() -> None:
    rgba = BufferPool().acquire(7, 5).rgba
    assert rgba.shape == (5, 7, 4)
    assert rgba.dtype == np.uint8
    assert rgba.flags.c_contiguous


def test_a_dropped_buffer_is_used_again() -> None:
    pool = BufferPool()
    buffer = pool.acquire(64, 32)
    first = address(buffer)
    del buffer
    gc.collect()
    assert address(pool.acquire(64, 32)) == first


def test_a_held_buffer_is_never_handed_out_again() -> None:
    pool = BufferPool()
    held = [pool.acquire(8, 8) for _ in range(6)]
    for index, buffer in enumerate(held):
        buffer.rgba[:] = index
    assert len({address(buffer) for buffer in held}) == 6
    assert [int(buffer.rgba[0, 0, 0]) for buffer in held] == list(range(6))


def test_a_frame_holds_its_buffer() -> None:
    pool = BufferPool()
    frame = RenderedFrame(pool.acquire(8, 8), (8, 8), 1, CameraPose(), 0, 0)
    gc.collect()
    assert address(pool.acquire(8, 8)) != address(frame.buffer)
    with pytest.raises(FrozenInstanceError):
        frame.revision = 2  # type: ignore[misc]


def test_buffers_of_another_size_are_given_up() -> None:
    pool = BufferPool()
    pool.acquire(8, 8)
    assert pool.acquire(8, 9).rgba.shape == (9, 8, 4)
    assert pool.acquire(9, 8).rgba.shape == (8, 9, 4)


def test_no_more_than_a_few_idle_buffers_are_kept() -> None:
    pool = BufferPool(keep=2)
    held = [pool.acquire(8, 8) for _ in range(5)]
    before = {address(buffer) for buffer in held}
    held.clear()
    gc.collect()
    again = [pool.acquire(8, 8) for _ in range(2)]
    assert {address(buffer) for buffer in again} <= before
    assert len(pool._idle) == 0
