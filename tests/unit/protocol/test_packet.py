"""The pixel packet: golden vectors both ways, refusals, and a round trip of everything in range."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cuda.protocol.errors import PacketError
from napari_cuda.protocol.packet import (
    HEADER_SIZE,
    CameraPose,
    PacketFlag,
    PacketHeader,
    PacketKind,
    pack,
    unpack,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "pixel_packets.json").read_text("utf-8"))
PACKETS: list[dict[str, Any]] = VECTORS["packets"]
GOOD = bytes.fromhex(PACKETS[0]["message"])


def header_of(fields: dict[str, Any]) -> PacketHeader:
    """Build a header from the language-neutral form of the vectors."""
    camera = fields["camera"]
    flags = PacketFlag.NONE
    for name in fields["flags"]:
        flags |= PacketFlag[name.upper()]
    return PacketHeader(
        kind=PacketKind[fields["kind"].upper()],
        seq=fields["seq"],
        epoch=fields["epoch"],
        revision=int(fields["revision"]),
        input_id=int(fields["input_id"]),
        capture_time_us=int(fields["capture_time_us"]),
        canvas_size=tuple(fields["canvas_size"]),
        coded_size=tuple(fields["coded_size"]),
        flags=flags,
        picture_hash=int(fields["picture_hash"]),
        camera=CameraPose(
            center=tuple(camera["center"]),
            zoom=camera["zoom"],
            angles=tuple(camera["angles"]),
            perspective=camera["perspective"],
            ndisplay=camera["ndisplay"],
        ),
        part=fields.get("part", 0),
        margin=fields.get("margin", 0),
    )


@pytest.mark.parametrize("vector", PACKETS, ids=lambda vector: vector["name"])
def test_packs_to_the_golden_bytes(vector: dict[str, Any]) -> None:
    assert pack(header_of(vector["header"]), bytes.fromhex(vector["payload"])).hex() == vector["message"]


@pytest.mark.parametrize("vector", PACKETS, ids=lambda vector: vector["name"])
def test_unpacks_the_golden_bytes(vector: dict[str, Any]) -> None:
    header, payload = unpack(bytes.fromhex(vector["message"]))
    assert header == header_of(vector["header"])
    assert payload.hex() == vector["payload"]
    assert header.keyframe == ("keyframe" in vector["header"]["flags"])
    assert header.full_detail == ("full_detail" in vector["header"]["flags"])


def test_the_vectors_cover_what_goes_wrong_in_another_language() -> None:
    headers = [vector["header"] for vector in PACKETS]
    assert VECTORS["header_size"] == HEADER_SIZE
    assert {header["kind"] for header in headers} == {kind.name.lower() for kind in PacketKind}
    assert {flag for header in headers for flag in header["flags"]} == {
        flag.name.lower() for flag in PacketFlag if flag.name
    }
    assert {0, 2**32 - 1} <= {header["seq"] for header in headers}
    assert any(int(header["revision"]) > 2**53 for header in headers)
    assert any(header["canvas_size"][0] % 2 and header["canvas_size"] != header["coded_size"] for header in headers)
    assert {header["camera"]["ndisplay"] for header in headers} == {2, 3}


@pytest.mark.parametrize("vector", VECTORS["malformed"], ids=lambda vector: vector["name"])
def test_refuses_the_malformed_vectors(vector: dict[str, str]) -> None:
    with pytest.raises(PacketError) as caught:
        unpack(bytes.fromhex(vector["message"]))
    assert caught.value.code == "packet.malformed"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("length", range(HEADER_SIZE))
def test_refuses_a_header_cut_at_any_length(length: int) -> None:
    with pytest.raises(PacketError, match=f"{length} bytes is shorter"):
        unpack(GOOD[:length])


def test_a_header_alone_has_an_empty_payload() -> None:
    header, payload = unpack(GOOD[:HEADER_SIZE])
    assert header == header_of(PACKETS[0]["header"])
    assert len(payload) == 0


def test_says_what_was_wrong() -> None:
    for offset, value, words in [(0, 0x58, "begins with"), (2, 9, "version 9"), (3, 77, "unknown kind 77")]:
        broken = bytearray(GOOD)
        broken[offset] = value
        with pytest.raises(PacketError, match=words):
            unpack(bytes(broken))


def test_the_payload_is_not_copied() -> None:
    message = GOOD
    assert unpack(message)[1].obj is message


def test_a_flag_of_a_newer_server_is_kept_and_harms_nothing() -> None:
    newer = bytearray(GOOD)
    newer[4] |= 0x80
    header, _ = unpack(bytes(newer))
    assert header.keyframe
    assert header.full_detail
    assert int(header.flags) == 0x83


def test_seq_is_sent_modulo_its_32_bits() -> None:
    header = header_of(PACKETS[0]["header"] | {"seq": 2**32 + 5})
    assert unpack(pack(header))[0].seq == 5


def u(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


triples = st.tuples(*[st.floats(allow_nan=False)] * 3)
headers = st.builds(
    PacketHeader,
    kind=st.sampled_from(PacketKind),
    seq=u(32),
    epoch=u(32),
    revision=u(64),
    input_id=u(64),
    capture_time_us=u(64),
    canvas_size=st.tuples(u(16), u(16)),
    coded_size=st.tuples(u(16), u(16)),
    flags=u(8).map(PacketFlag),
    picture_hash=u(64),
    camera=st.builds(
        CameraPose,
        center=triples,
        zoom=st.floats(allow_nan=False),
        angles=triples,
        perspective=st.floats(allow_nan=False),
        ndisplay=st.integers(2, 3),
    ),
    part=u(16),
    margin=u(16),
)


@given(headers, st.binary(max_size=300))
def test_what_is_packed_comes_back(header: PacketHeader, payload: bytes) -> None:
    message = pack(header, payload)
    back, rest = unpack(message)
    assert back == header
    assert bytes(rest) == payload
    assert len(message) == HEADER_SIZE + len(payload)


@given(st.binary(max_size=2 * HEADER_SIZE))
def test_random_bytes_are_refused_or_read_whole(message: bytes) -> None:
    try:
        header, payload = unpack(message)
    except PacketError:
        return
    numbers = [*header.camera.center, header.camera.zoom, *header.camera.angles, header.camera.perspective]
    if not any(math.isnan(number) for number in numbers):
        assert pack(header, bytes(payload)) == message
