"""The client's half of one session of `peers.py`: `peer_session.py PEER WHERE WORKLOAD SECONDS`, in its own process.

PEER is `ours` (WHERE: the URL), `vnc`, `vnc-lossless` (PORT,X,Y) or `local` (DISPLAY,FRAMEBUFFER,X,Y). Says "driving"
and "driven" for who takes CPU times, then one `Session` as JSON.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from screens import LocalScreen, VncScreen, hash_of
from stock_napari import KEYS, SIZE

from napari_cuda import api, workloads
from napari_cuda.bench import client
from napari_cuda.bench.catalogue import WORKLOADS, Workload
from napari_cuda.bench.fidelity import psnr_db
from napari_cuda.bench.recording import InputLog, Percentiles, Shown, latencies_s, percentiles_ms, shown_ages_s
from napari_cuda.client.playout.frame import Picture
from napari_cuda.client.playout.picture import ExactPicture, YuvPicture
from napari_cuda.protocol.packet import PacketHeader

PRESSES = 60
_SETTLE_S = 0.8
_MOST_REST_S = 6.0
_LONGEST_ANSWER_S = 20.0


class Session(msgspec.Struct):
    """What one session showed. Times in milliseconds; `exact_ms` None: never, within 6 s. CPU in cores."""

    frames_per_s: float
    age: Percentiles | None
    shown_age: Percentiles | None
    bytes_per_s: float
    client_cpu: float
    moving_db: float | None
    exact_ms: float | None
    clicks_ms: list[float]


def path(number: int) -> tuple[int, int]:
    """Return where the pointer is at an input: four pixels on, to and fro, on a line of its own each way."""
    turn = number % 320
    x = 4 * (turn if turn < 80 else 160 - turn if turn < 240 else turn - 320)
    return SIZE[0] // 2 + x, SIZE[1] // 2 + (number + 80) // 160


def mark_at(x: int, y: int) -> int:
    """Return the mark of a frame that answers the pointer there."""
    return x + 4096 * y


def say(word: str) -> None:
    print(word, flush=True)


def screen_session(screen: VncScreen | LocalScreen, workload: Workload, seconds: float) -> Session:
    """Drag in a window, rest, press keys."""
    eye = screen.eye
    sent: dict[int, float] = {}

    def drag(numbers: range) -> None:
        began_s = time.perf_counter()
        for count, number in enumerate(numbers, 1):
            place = path(number)
            sent[mark_at(*place)] = time.perf_counter()
            screen.point(*place, pressed=True)
            time.sleep(max(0.0, began_s + count / workloads.INPUTS_PER_S - time.perf_counter()))

    screen.point(*path(0), pressed=False)
    time.sleep(0.5)
    screen.point(*path(0), pressed=True)
    warm_up, inputs = workloads.INPUTS_PER_S, round(seconds * workloads.INPUTS_PER_S)
    drag(range(warm_up))
    time.sleep(_SETTLE_S)
    sent.clear()
    seen_before, bytes_before = len(eye.sightings), screen.received_bytes
    say("driving")
    cpu_s, began_s = time.process_time(), time.perf_counter()
    # What is in the display's own memory is exact, and half a picture while it is being copied there.
    eye.keeping = isinstance(screen, VncScreen)
    drag(range(warm_up, warm_up + inputs))
    until_s = time.perf_counter()
    eye.keeping = False
    eye.resting = True
    elapsed_s = until_s - began_s
    cpu = (time.process_time() - cpu_s) / elapsed_s
    received = screen.received_bytes - bytes_before
    say("driven")
    last_mark = mark_at(*path(warm_up + inputs - 1))
    seen = [(at_s, mark) for at_s, mark in eye.sightings[seen_before:] if mark in sent and at_s <= until_s]
    exact_ms = _exact_ms(screen, sent[last_mark])
    # Where a volume is after a drag depends on the way there.
    moving_db = None if workload.ndisplay == 3 else _moving_db(screen)
    screen.point(*path(0), pressed=False)
    log, shown = _numbered(sent, seen)
    return Session(
        frames_per_s=len(latencies_s(log, shown)) / elapsed_s,
        age=percentiles_ms(latencies_s(log, shown)),
        shown_age=percentiles_ms(shown_ages_s(log, shown, until_s)),
        bytes_per_s=received / elapsed_s,
        client_cpu=cpu,
        moving_db=moving_db,
        exact_ms=exact_ms,
        clicks_ms=list(_clicks(screen)) if workload.name == "pan2d" else [],
    )


def _numbered(sent: dict[int, float], seen: list[tuple[float, int]]) -> tuple[InputLog, list[Shown]]:
    """Return the inputs by number, counted from 1, and which of them each frame answers."""
    log, numbers = InputLog(), {}
    for number, (mark, at_s) in enumerate(sent.items(), 1):
        log.note(number, at_s)
        numbers[mark] = number
    return log, [Shown(at_s, numbers[mark]) for at_s, mark in seen]


def _exact_ms(screen: VncScreen | LocalScreen, changed_s: float) -> float | None:
    """Return how long after the last input the canvas was what the server has, for good; None if it never was."""
    eye = screen.eye
    time.sleep(_SETTLE_S)
    wanted = hash_of(screen.exact())
    until_s = changed_s + _MOST_REST_S
    while time.perf_counter() < until_s and (not eye.rests or eye.rests[-1][1] != wanted):
        time.sleep(0.02)
    eye.resting = False
    since_s = next((at_s for at_s, found in eye.rests if found == wanted), None)
    return None if since_s is None else 1e3 * (since_s - changed_s)


def _moving_db(screen: VncScreen | LocalScreen) -> float | None:
    """Return the mean PSNR of kept frames; the pointer goes back to where each of them was drawn."""
    found = []
    for mark, canvas in screen.eye.kept:
        screen.point(mark % 4096, mark // 4096, pressed=True)
        time.sleep(_SETTLE_S)
        found.append(psnr_db(canvas, screen.exact()))
    return float(np.mean(found)) if found else None


def _clicks(screen: VncScreen | LocalScreen) -> Iterator[float]:
    pause = random.Random(1)
    time.sleep(_SETTLE_S)
    for count in range(1, PRESSES + 1):
        time.sleep(pause.uniform(0.25, 0.45))
        pressed_s = time.perf_counter()
        screen.key()
        while screen.eye.sightings[-1][1] != KEYS + count:
            if time.perf_counter() > pressed_s + _LONGEST_ANSWER_S:
                raise SystemExit(f"key {count} was not answered within {_LONGEST_ANSWER_S:g} s")
            time.sleep(0.0005)
        yield 1e3 * (screen.eye.sightings[-1][0] - pressed_s)


def our_session(url: str, workload: Workload, seconds: float) -> Session:
    """Do the same to a napari that is served."""
    with api.connect(url, window=False, timeout_s=60) as viewer:
        seen = client.observe(viewer, workload, seconds)
        clicks_ms = list(_our_clicks(viewer)) if workload.name == "pan2d" else []
    return Session(
        frames_per_s=seen.answered / seen.seconds,
        age=seen.latency_ms,
        shown_age=seen.age_ms,
        bytes_per_s=seen.bytes_received / seen.seconds,
        client_cpu=seen.cpu,
        moving_db=seen.moving_psnr_db if workload.ndisplay == 2 else None,
        exact_ms=seen.exact_ms,
        clicks_ms=clicks_ms,
    )


def _our_clicks(viewer: Any) -> Iterator[float]:
    pause = random.Random(1)
    (layer,) = viewer.layers
    shown: list[tuple[float, int, bool]] = []

    def see(header: PacketHeader, picture: Picture) -> None:
        shown.append((time.perf_counter(), header.input_id, _is_green(picture)))

    viewer.watch_pictures(see)
    for count in range(1, PRESSES + 1):
        viewer.pump(pause.uniform(0.25, 0.45))
        green = bool(count % 2)
        shown.clear()
        pressed_s = time.perf_counter()
        layer.colormap = "green" if green else "gray"
        number = viewer.newest_input
        while not any(input_id >= number and seen is green for _, input_id, seen in shown):
            if time.perf_counter() > pressed_s + _LONGEST_ANSWER_S:
                raise SystemExit(f"change {count} was not answered within {_LONGEST_ANSWER_S:g} s")
            viewer.pump(0.002)
        yield 1e3 * (next(at_s for at_s, number_, seen in shown if number_ >= number and seen is green) - pressed_s)


def _is_green(picture: Picture) -> bool:
    """Return whether a picture is of the green colormap: by its pixels, whatever its header says."""
    if isinstance(picture, ExactPicture):
        return bool(picture.rgba[..., 1].mean() > 2 * picture.rgba[..., 0].mean() + 1)
    assert isinstance(picture, YuvPicture)
    return bool(picture.v[::8, ::8].mean() < 124)


def main(peer: str, where: str, name: str, seconds: str) -> None:
    """Run a session and print it."""
    workload = WORKLOADS[name]
    if peer == "ours":
        session = our_session(where, workload, float(seconds))
    elif peer == "local":
        display, framebuffer, x, y = where.split(",")
        local = LocalScreen(display, Path(framebuffer), (int(x), int(y)))
        session = screen_session(local, workload, float(seconds))
        local.close()
    else:
        port, x, y = (int(part) for part in where.split(","))
        remote = VncScreen(port, (x, y), None if peer == "vnc-lossless" else 8)
        session = screen_session(remote, workload, float(seconds))
        remote.close()
    say(msgspec.json.encode(session).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
