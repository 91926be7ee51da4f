"""What every LiveDecoder promises; the hardware's run where it is there (`make gpu`, a Mac)."""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from napari_cuda.bitstream.avcc import ParameterSets, length_prefixed
from napari_cuda.client.decode.cuda import open_cuda
from napari_cuda.client.decode.emulated import Behaviour, emulated
from napari_cuda.client.decode.h264 import H264Decoder
from napari_cuda.client.decode.hardware import HardwareDecoder
from napari_cuda.client.decode.live import DecodeFailedError, DecoderConfig, DecoderFactory, LiveDecoder
from napari_cuda.client.decode.surface_pool import DEFAULT_SURFACES
from napari_cuda.client.decode.vt_darwin import open_videotoolbox
from napari_cuda.client.playout.lease import UseAfterReleaseError
from napari_cuda.client.playout.picture import ColorSpec, YuvPicture
from napari_cuda.client.playout.surface import Surface, SurfaceKind
from napari_cuda.server.encode.h264 import H264Encoder
from pictures import noisy_pan

SIZE = (192, 128)
TIMEOUT_S = 10.0


def libavcodec(config: DecoderConfig) -> LiveDecoder:
    """The code of the hardware decoders, without hardware."""
    return HardwareDecoder(config, None, SurfaceKind.CPU_PLANES, lambda _frame: 0)


BACKENDS = [
    pytest.param(emulated(), id="emulated"),
    pytest.param(emulated(Behaviour(reorder=3, delay_s=0.001)), id="emulated-late-and-reordered"),
    pytest.param(libavcodec, id="libavcodec"),
    pytest.param(open_cuda, id="cuda", marks=pytest.mark.gpu),
    *([pytest.param(open_videotoolbox, id="videotoolbox")] if platform.system() == "Darwin" else []),
]


@pytest.fixture(params=BACKENDS)
def factory(request: pytest.FixtureRequest) -> DecoderFactory:
    return request.param


class Clip:
    """One encoded clip, as a decoder wants it, and what it must give."""

    def __init__(self, count: int, *, length_size: int = 4) -> None:
        encoder = H264Encoder(SIZE, frame_rate=60)
        annexb = [encoder.encode(picture).data for picture in noisy_pan(count, SIZE)]
        reference = H264Decoder()
        self.pictures = [cropped(reference.decode(unit)) for unit in annexb]
        self.units = [length_prefixed(unit, length_size) for unit in annexb]
        self.config = DecoderConfig.of(ParameterSets().updated_by(annexb[0]), length_size)


def cropped(picture: YuvPicture) -> list[np.ndarray]:
    width, height = SIZE
    return [picture.y[:height, :width], picture.u[: height // 2, : width // 2], picture.v[: height // 2, : width // 2]]


def shows(surface: Surface, expected: list[np.ndarray]) -> bool:
    return all(np.array_equal(*pair) for pair in zip(cropped(surface.planes()), expected, strict=True))


CLIP = Clip(2 * DEFAULT_SURFACES)


@pytest.fixture
def decoder(factory: DecoderFactory) -> Iterator[LiveDecoder]:
    decoder = factory(CLIP.config)
    yield decoder
    decoder.close()
    assert decoder.counts.surfaces == 0, "a surface leaked"


def taken(decoder: LiveDecoder) -> Surface:
    surface = decoder.poll(TIMEOUT_S)
    assert surface is not None
    return surface


def test_every_unit_gives_its_picture_at_once(decoder: LiveDecoder) -> None:
    for index, unit in enumerate(CLIP.units):
        assert decoder.submit(unit, 1000 - index, keyframe=index == 0)
        surface = taken(decoder)
        assert surface.pts == 1000 - index
        assert surface.color == ColorSpec("bt709", full_range=True)
        assert shows(surface, CLIP.pictures[index])
        surface.close()
    assert decoder.counts.in_flight == 0
    assert decoder.poll(0.0) is None


def test_what_is_in_flight_comes_out_in_some_order(decoder: LiveDecoder) -> None:
    count = DEFAULT_SURFACES
    for index in range(count):
        assert decoder.submit(CLIP.units[index], index, keyframe=index == 0)
    assert decoder.counts.in_flight == count
    surfaces = [taken(decoder) for _ in range(count)]
    assert decoder.counts.in_flight == 0
    assert sorted(surface.pts for surface in surfaces) == list(range(count))
    assert all(shows(surface, CLIP.pictures[surface.pts]) for surface in surfaces)
    for surface in surfaces:
        surface.close()


def test_without_a_free_surface_a_unit_is_not_taken(decoder: LiveDecoder) -> None:
    for index in range(DEFAULT_SURFACES):
        assert decoder.submit(CLIP.units[index], index, keyframe=index == 0)
    held = [taken(decoder) for _ in range(DEFAULT_SURFACES)]
    following = CLIP.units[DEFAULT_SURFACES]
    assert not decoder.submit(following, 99, keyframe=False, timeout_s=0.001)
    assert decoder.counts.surfaces == DEFAULT_SURFACES
    held.pop().close()
    assert decoder.submit(following, 99, keyframe=False)
    surface = taken(decoder)
    assert shows(surface, CLIP.pictures[DEFAULT_SURFACES])  # not taken before: so it is not decoded twice
    for each in (*held, surface):
        each.close()


def test_a_surface_that_becomes_free_is_waited_for(decoder: LiveDecoder) -> None:
    for index in range(DEFAULT_SURFACES):
        decoder.submit(CLIP.units[index], index, keyframe=index == 0)
    held = [taken(decoder) for _ in range(DEFAULT_SURFACES)]
    later = threading.Timer(0.01, held.pop().close)
    later.start()
    assert decoder.submit(CLIP.units[DEFAULT_SURFACES], 99, keyframe=False, timeout_s=TIMEOUT_S)
    later.join()
    for each in (*held, taken(decoder)):
        each.close()


def test_flush_forgets_what_is_in_flight_and_the_stream(decoder: LiveDecoder) -> None:
    for index in range(4):
        decoder.submit(CLIP.units[index], index, keyframe=index == 0)
    surface = taken(decoder)
    decoder.flush()
    assert decoder.counts.in_flight == 0
    assert decoder.poll(0.0) is None
    assert shows(surface, CLIP.pictures[surface.pts])  # out, so it stays
    surface.close()
    assert decoder.submit(CLIP.units[0], 50, keyframe=True)
    surface = taken(decoder)
    assert surface.pts == 50
    assert shows(surface, CLIP.pictures[0])
    surface.close()


def test_surfaces_outlive_the_decoder(decoder: LiveDecoder) -> None:
    decoder.submit(CLIP.units[0], 0, keyframe=True)
    decoder.submit(CLIP.units[1], 1, keyframe=False)
    surface = taken(decoder)
    decoder.close()
    decoder.close()
    assert decoder.poll(TIMEOUT_S) is None  # the other one is gone; nobody waits for it
    assert shows(surface, CLIP.pictures[surface.pts])
    surface.close()


def test_a_closed_surface_cannot_be_read(decoder: LiveDecoder) -> None:
    decoder.submit(CLIP.units[0], 0, keyframe=True)
    surface = taken(decoder)
    surface.close()
    with pytest.raises(UseAfterReleaseError):
        surface.planes()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda unit: unit[: len(unit) // 2], id="cut"),
        pytest.param(lambda unit: b"\x00\x00\x00\x08notaslice", id="text"),
        pytest.param(lambda unit: unit[:20] + bytes(len(unit) - 20), id="zeros"),
    ],
)
def test_damage_is_a_named_error(decoder: LiveDecoder, damage: Callable[[bytes], bytes]) -> None:
    decoder.submit(CLIP.units[0], 0, keyframe=True)
    taken(decoder).close()
    with pytest.raises(DecodeFailedError):  # at once, or when the picture is due
        decoder.submit(damage(CLIP.units[1]), 1, keyframe=False)
        decoder.poll(TIMEOUT_S)


def test_a_delta_without_its_keyframe_is_a_named_error(decoder: LiveDecoder) -> None:
    with pytest.raises(DecodeFailedError):
        decoder.submit(CLIP.units[1], 0, keyframe=False)
        decoder.poll(TIMEOUT_S)


def test_submit_and_poll_on_two_threads(decoder: LiveDecoder) -> None:
    seen: list[tuple[int, bool]] = []

    def drain() -> None:
        for _ in CLIP.units:
            surface = taken(decoder)
            seen.append((surface.pts, shows(surface, CLIP.pictures[surface.pts])))
            surface.close()

    thread = threading.Thread(target=drain)
    thread.start()
    for index, unit in enumerate(CLIP.units):
        assert decoder.submit(unit, index, keyframe=index == 0, timeout_s=TIMEOUT_S)
    thread.join(TIMEOUT_S)
    assert sorted(seen) == [(index, True) for index in range(len(CLIP.units))]


@pytest.mark.parametrize("length_size", [2, 4])
def test_the_length_size_is_the_announced_one(factory: DecoderFactory, length_size: int) -> None:
    clip = Clip(3, length_size=length_size)
    decoder = factory(clip.config)
    for index, unit in enumerate(clip.units):
        decoder.submit(unit, index, keyframe=index == 0)
        surface = taken(decoder)
        assert shows(surface, clip.pictures[index])
        surface.close()
    decoder.close()
