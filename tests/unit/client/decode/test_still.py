from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_cuda.client.decode.still import MOST_PIXELS, StillDecoder
from napari_cuda.protocol.errors import StreamError
from napari_cuda.protocol.packet import PacketKind
from pictures import noisy_pan, opaque, patches
from stills import packets_of, parts_of, read

SIZE = (64, 48)
NOISE = opaque(np.random.default_rng(3).integers(0, 256, (48, 64, 3), np.uint8), SIZE)


@pytest.mark.parametrize("part_size", [1, 7, 500, 48_000])
@pytest.mark.parametrize("picture", [noisy_pan(1, SIZE)[0], patches(SIZE), opaque(0, SIZE), NOISE])
def test_the_exact_picture_comes_back_whatever_the_parts(picture: np.ndarray, part_size: int) -> None:
    found = read(StillDecoder(), picture, parts_of(picture, part_size=part_size))
    assert found.flags.c_contiguous
    assert np.array_equal(found, picture)


def test_differences_are_put_into_the_picture_before_and_leave_that_as_it_was() -> None:
    decoder, changed = StillDecoder(), NOISE.copy()
    changed[10:20, 30:33, 1] ^= 5
    first = read(decoder, NOISE, parts_of(NOISE))
    assert np.array_equal(read(decoder, changed, parts_of(changed, NOISE)), changed)
    assert np.array_equal(first, NOISE)
    assert np.array_equal(read(decoder, NOISE, parts_of(NOISE, changed)), NOISE)


def test_differences_from_what_is_not_here_are_refused() -> None:
    changed = NOISE.copy()
    changed[3, 3, 1] ^= 5
    decoder = StillDecoder()
    with pytest.raises(StreamError, match="not here"):
        read(decoder, changed, parts_of(changed, NOISE))
    read(decoder, NOISE, parts_of(NOISE))
    decoder.forget()
    with pytest.raises(StreamError, match="not here"):
        read(decoder, changed, parts_of(changed, NOISE))
    read(decoder, opaque(1, SIZE), parts_of(opaque(1, SIZE)))
    with pytest.raises(StreamError, match="the server rendered"):
        read(decoder, changed, parts_of(changed, NOISE))


def test_a_part_without_those_before_it_is_refused() -> None:
    packets = list(packets_of(NOISE, parts_of(NOISE, part_size=1000)))
    decoder = StillDecoder()
    for missing in (0, 1, len(packets) - 2):
        decoder.forget()
        with pytest.raises(StreamError, match="without the parts before"):
            for index, packet in enumerate(packets):
                if index != missing:
                    decoder.add(*packet)
    assert np.array_equal(read(decoder, NOISE, parts_of(NOISE)), NOISE)


def test_a_still_that_begins_anew_replaces_the_one_under_way() -> None:
    decoder = StillDecoder()
    for header, part in list(packets_of(NOISE, parts_of(NOISE, part_size=1000)))[:3]:
        assert decoder.add(header, part) is None
    assert np.array_equal(read(decoder, patches(SIZE), parts_of(patches(SIZE))), patches(SIZE))


def test_parts_of_two_pictures_are_refused() -> None:
    (first, data), (second, more), *_ = packets_of(NOISE, parts_of(NOISE, part_size=1000))
    decoder = StillDecoder()
    decoder.add(first, data)
    with pytest.raises(StreamError, match="without the parts before"):
        decoder.add(replace(second, picture_hash=1), more)


def test_another_picture_than_announced_is_refused() -> None:
    with pytest.raises(StreamError, match="the server rendered"):
        read(StillDecoder(), opaque(2, SIZE), parts_of(opaque(1, SIZE)))


def test_a_larger_picture_than_announced_is_refused() -> None:
    with pytest.raises(StreamError, match="its header says"):
        read(StillDecoder(), opaque(1, (48, 48)), parts_of(opaque(1, SIZE)))


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", SIZE).save(out, "JPEG")
    return out.getvalue()


def foreign_png(mode: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(NOISE).convert(mode).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (jpeg(), "cannot be read as a PNG"),
        (foreign_png("RGBA"), "not one of 8 bits grey or RGB"),
        (foreign_png("RGB"), "a filter that no server uses"),
        (b"", "cut off"),
    ],
    ids=["JPEG", "with alpha", "other filters", "nothing"],
)
def test_only_what_servers_make_is_read(data: bytes, words: str) -> None:
    with pytest.raises(StreamError, match=words):
        read(StillDecoder(), NOISE, [data])


def test_an_absurd_size_is_refused_before_memory_is_taken() -> None:
    header, part = next(packets_of(NOISE, parts_of(NOISE)))
    side = int(MOST_PIXELS**0.5) + 1
    with pytest.raises(StreamError, match="larger than any canvas"):
        StillDecoder().add(replace(header, canvas_size=(side, side)), part)


def test_rows_without_end_are_refused() -> None:
    """What inflates to more than the picture is never inflated."""
    tall = opaque(7, (64, 48_000))
    png = b"".join(parts_of(tall))
    short = png.replace((48_000).to_bytes(4, "big"), (48).to_bytes(4, "big"), 1)
    with pytest.raises(StreamError, match="more rows"):
        read(StillDecoder(), opaque(7, SIZE), [short])


@given(st.integers(0, 10_000), st.integers(1, 255), st.integers(0, 10_000))
def test_damage_is_a_named_error(at: int, change: int, cut: int) -> None:
    picture = patches(SIZE)
    png = bytearray(b"".join(parts_of(picture)))
    png[at % len(png)] ^= change
    del png[len(png) - cut % len(png) :]
    try:
        found = read(StillDecoder(), picture, [bytes(png)])
    except StreamError as error:
        assert "\n" not in str(error)
    else:
        assert np.array_equal(found, picture)  # what was hit does not matter, such as the end chunk


def test_after_a_refusal_the_next_still_comes() -> None:
    decoder = StillDecoder()
    header, _ = next(packets_of(NOISE, parts_of(NOISE)))
    with pytest.raises(StreamError):
        decoder.add(replace(header, kind=PacketKind.STILL_PART), b"no PNG, and long enough")
    assert np.array_equal(read(decoder, NOISE, parts_of(NOISE)), NOISE)
