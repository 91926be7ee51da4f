"""What each stage of the codec costs on this machine: `python benchmarks/codec.py [--frames N]`.

Medians of one run, one thread, 1280x720. "quality" is luma PSNR of the moving picture.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from napari_cuda.client.decode.h264 import H264Decoder
from napari_cuda.client.decode.still import StillDecoder
from napari_cuda.protocol.digest import picture_hash
from napari_cuda.server.encode.h264 import DEFAULT_BIT_RATE, H264Encoder
from pictures import Rgba, luma_of, noisy_pan, opaque, patches, psnr_db
from stills import parts_of, read

SIZE = (1280, 720)
FRAME_RATE = 60
SETTLING = 5
"""Frames after the IDR that are left out: it fits one frame's share, and the next ones refine it."""

Result = TypeVar("Result")


def clips(frames: int) -> Iterator[tuple[str, list[Rgba]]]:
    """Yield what napari users do, from easy to hard."""
    yield "noisy pan", noisy_pan(frames, SIZE)
    scene = patches((SIZE[0] + 3 * frames, SIZE[1]))
    yield "flat colours", [np.ascontiguousarray(scene[:, 3 * at : 3 * at + SIZE[0]]) for at in range(frames)]
    rng = np.random.default_rng(2)
    signal = 30 + noisy_pan(1, SIZE)[0][..., :1] * 0.5
    yield "new noise", [opaque(np.clip(rng.poisson(signal), 0, 255), SIZE) for _ in range(frames)]


def timed(call: Callable[[], Result]) -> tuple[float, Result]:
    """Return (milliseconds, result)."""
    began_s = time.perf_counter()
    result = call()
    return 1e3 * (time.perf_counter() - began_s), result


def video_table(frames: int) -> Table:
    """Measure the moving picture."""
    table = Table(title=f"H.264, {SIZE[0]}x{SIZE[1]}, {DEFAULT_BIT_RATE / 1e6:.0f} Mb/s at {FRAME_RATE}/s (ms, kB)")
    for column in ("clip", "preset", "convert", "encode", "decode", "IDR", "frame", "quality dB"):
        table.add_column(column, justify="left" if column in ("clip", "preset") else "right")
    for name, pictures in clips(frames):
        for preset in ("ultrafast", "superfast"):
            encoder, decoder = H264Encoder(SIZE, frame_rate=FRAME_RATE, preset=preset), H264Decoder()
            rows = []
            for picture in pictures:
                unit = encoder.encode(picture)
                decode_ms, decoded = timed(partial(decoder.decode, unit.data))
                quality_db = psnr_db(decoded.y[: SIZE[1], : SIZE[0]], luma_of(picture))
                rows.append((1e3 * unit.convert_s, 1e3 * unit.encode_s, decode_ms, len(unit.data) / 1e3, quality_db))
            convert, encode, decode, size, quality = (median(column) for column in zip(*rows[SETTLING:], strict=True))
            times = (f"{value:.2f}" for value in (convert, encode, decode))
            table.add_row(name, preset, *times, f"{rows[0][3]:.1f}", f"{size:.1f}", f"{quality:.1f}")
    return table


def still_table(repeats: int) -> Table:
    """Measure the exact picture."""
    table = Table(title=f"Exact still, {SIZE[0]}x{SIZE[1]} (ms, kB)")
    for column in ("clip", "hash", "encode", "decode", "size"):
        table.add_column(column, justify="left" if column == "clip" else "right")
    for name, pictures in clips(1):
        picture = pictures[0]
        parts = parts_of(picture)
        stages: list[Callable[[], object]] = [
            partial(picture_hash, picture),
            partial(parts_of, picture),
            partial(read, StillDecoder(), picture, parts),
        ]
        times = (f"{median(timed(stage)[0] for _ in range(repeats)):.2f}" for stage in stages)
        table.add_row(name, *times, f"{sum(len(part) for part in parts) / 1e3:.0f}")
    return table


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=60, help="frames per clip (default 60)")
    frames = parser.parse_args().frames
    console = Console()
    console.print(video_table(frames))
    console.print(still_table(max(5, frames // 4)))


if __name__ == "__main__":
    main()
