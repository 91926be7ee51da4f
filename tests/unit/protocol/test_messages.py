from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from napari_cuda.protocol import messages as m
from napari_cuda.protocol import surface_messages as s
from napari_cuda.protocol.errors import ProtocolError

SPEC = m.LayerSpec(
    layer="L1",
    kind="image",
    ndim=3,
    shape=[5, 6, 7],
    dtype="uint16",
    extent=[[0, 0, 0], [4, 5, 6]],
    level_shapes=[[5, 6, 7], [2, 3, 3]],
)
STATE = m.LayerState(SPEC, {"name": "nuclei", "opacity": 0.5, "colormap": "magma"})

FROM_CLIENT: list[m.ClientMessage] = [
    m.Hello([1, 2], "test", "S1", 2**40),
    m.Ping(7),
    m.Pong(7),
    m.Goodbye("done"),
    m.LayerIntent(1, "L1", {"opacity": 0.25, "visible": True, "name": "é µ 核"}),
    m.DimsIntent(2, {"point": [1.0, 0.0, 0.0]}),
    m.CameraIntent(3, {"zoom": 2.5}),
    m.ViewIntent(4, {"size": [400, 500]}),
    m.SceneIntent(5, {"active": None, "order": ["L2", "L1"]}),
    m.Command(6, "layer.remove", {"layer": "L1"}),
    m.InputPointer(2**53 - 1, "press", [3, -4], [400, 300], 1, [1, 2], ["shift"]),
    m.InputPointer(1, "wheel", [3, -4], [400, 300], delta=(0.0, -1.5), inverted=True, listeners=True),
    m.InputKey(4, "release", "Ctrl+Shift+G"),
    s.SurfacePointer(5, "S1", "wheel", [3, -4], 0, [1], ["alt"], (0.0, -1.5)),
    s.SurfaceKey(6, "S1", "press", 0x01000004, "\r", ["shift"], True, 7, True),
    s.SurfaceCompose(6, "S1", "é", "日本", 1, (-1, 1)),
    s.SurfaceFocus(7, "S1"),
    s.SurfaceResize(8, "S1", (300, 200)),
    s.SurfaceClose(9, "S1"),
    s.SurfacePaste(10, "é µ 核"),
    s.SurfaceTheme(11, "light"),
    s.SurfaceWatch(1.25),
    s.SurfaceAck("S1", 3),
    m.LogQuery(17),
    m.CursorQuery(18, [0.1, 2.0, 3.0], [0, 1, 2], [0.6, 0.0, 0.8], 5, True, "L1", False),
]
FROM_SERVER: list[m.ServerMessage] = [
    m.Welcome(1, "S1", "V1", "napari-cuda 0.1", 5.0, "secret", 3, "node17", "cells.ome.zarr"),
    m.Reject("protocol.version", "no"),
    m.Ping(2),
    m.Pong(2),
    m.Goodbye("server stops"),
    m.SceneSnapshot(2**60, [STATE], {"order": ["L1"]}, {"ndim": 3}, {"zoom": 1.0}, {"ndisplay": 2}),
    m.SceneResumed(9, [m.CameraUpdate(9, {"zoom": 2.0}), m.LayerUpdate(9, "L1", {"opacity": 1.0}, SPEC)]),
    m.SceneUpdate(2, [STATE], ["L9"], {"order": ["L1"]}),
    m.LayerUpdate(3, "L1", {"gamma": 1.5}, SPEC),
    m.DimsUpdate(4, {"point": [0.0]}),
    m.CameraUpdate(5, {"zoom": 1e-9}),
    m.ViewUpdate(6, {"ndisplay": 3}),
    m.LayerThumbnail("L1", 2, 1, bytes(range(8))),
    m.LayerHistogram("L1", [0.0, 0.5, 1.0], [3.0, 4.0]),
    m.StreamConfig("h264", 60.0, "llvmpipe"),
    m.StreamQuality(20_000_000, 0, 2, 0.4, "libx264 ultrafast 4:2:0"),
    m.Status("ready"),
    m.Ack(9, 7, [m.Refusal("layer:L1", "opacity", "too much")]),
    m.Error("render.failed", "it failed"),
    m.CursorValue(18, {"coordinates": "[1 2]: 65535", "value": "65535"}, "cell 7", [0, None]),
    m.LogLines(18, ["10:00:00 INFO viewer V1 joined"]),
    m.Notice("warning", "no cells were found"),
    m.Busy("work.py is at line 12"),
    m.InputWanted({"": ["Ctrl+G"], "L1": ["W"]}, ["drag", "wheel"]),
    m.ScriptViewers([m.ScriptViewer("1", "cells"), m.ScriptViewer("2", "maps")], "2"),
    m.PluginMenu(
        [m.PluginEntry("Cells", "command", "cells.count", "Count"), m.PluginEntry("Cells", "sample", "cells:a", "A")]
    ),
    s.SurfaceList(3, [s.Surface("S1", "popup", (9, 8), "a menu", "S0", (-3, 4), (1, 1), grabs=True)]),
    s.SurfaceUpdate("S1", 4, (18, 16), 2.0, [s.SurfaceBlock(1, 2, 3, 4, b"deflated")]),
    s.SurfaceCursor("IBeamCursor"),
    s.SurfaceCaret("S1", (4, 5, 1, 16), 3),
    s.SurfaceUnused(7),
    s.SurfaceCopied("é µ 核"),
    m.JobUpdate("J1", 3, "Opening a.tif", "failed", 0.5, "no reader", {"layers": ["L1"]}),
]
FROM_PIXELS: list[m.PixelClientMessage] = [m.PixelAck(2**32 - 1), m.PixelKeyframe("gap")]

DECODERS = [
    (m.decode_client, m.ClientMessage, FROM_CLIENT),
    (m.decode_server, m.ServerMessage, FROM_SERVER),
    (m.decode_pixel_client, m.PixelClientMessage, FROM_PIXELS),
]
CASES = [(decode, message) for decode, _, examples in DECODERS for message in examples]


@pytest.mark.parametrize(("decode", "union", "examples"), DECODERS)
def test_every_message_has_an_example_here(decode: Any, union: Any, examples: list[m.Message]) -> None:
    assert {type(example) for example in examples} == set(get_args(union))


@pytest.mark.parametrize(("decode", "message"), CASES, ids=lambda value: type(value).__name__)
def test_comes_back_from_text_and_from_bytes(decode: Any, message: m.Message) -> None:
    text = m.encode(message)
    assert decode(text) == message
    assert decode(text.encode()) == message


@pytest.mark.parametrize(("decode", "message"), CASES, ids=lambda value: type(value).__name__)
def test_unknown_fields_of_a_newer_peer_are_ignored(decode: Any, message: m.Message) -> None:
    assert decode(json.dumps(json.loads(m.encode(message)) | {"of_version_9": {"a": [1]}})) == message


@pytest.mark.parametrize(("decode", "message"), CASES, ids=lambda value: type(value).__name__)
def test_missing_required_fields_are_named(decode: Any, message: m.Message) -> None:
    fields = json.loads(m.encode(message))
    required = {name for name in type(message).__struct_fields__ if _required(type(message), name)}
    for name in required:
        with pytest.raises(ProtocolError, match=f"`{name}`") as caught:
            decode(json.dumps({key: value for key, value in fields.items() if key != name}))
        assert caught.value.code == "protocol.invalid"


def _required(cls: type[m.Message], name: str) -> bool:
    return cls.__struct_fields__.index(name) < len(cls.__struct_fields__) - len(cls.__struct_defaults__)


def test_types_are_unique_and_scoped() -> None:
    tags = [type(message).__struct_config__.tag for message in {type(x): x for _, x in CASES}.values()]
    assert len(tags) == len(set(tags))
    assert all(isinstance(tag, str) for tag in tags)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "protocol.malformed"),
        ("{", "protocol.malformed"),
        ("not json", "protocol.malformed"),
        ('{"type":"session.ping","token":NaN}', "protocol.malformed"),
        (b"\xff\xfe\x00", "protocol.malformed"),
        ('{"type":"session.ping","token":"' + "\ud800" + '"}', "protocol.malformed"),
        ('{"type":"session.goodbye","reason":"\\ud800"}', "protocol.malformed"),
        ('{"type":"dims.intent","intent":1,"values":{"a":' + "[" * 100_000, "protocol.malformed"),
        ('{"type":"dims.intent","intent":1,"values":{"a":' + "[" * 5000 + "]" * 5000 + "}}", "protocol.malformed"),
        ("null", "protocol.invalid"),
        ("[]", "protocol.invalid"),
        ("{}", "protocol.invalid"),
        ('{"type":5}', "protocol.invalid"),
        ('{"type":"session.ping","token":"1"}', "protocol.invalid"),
        ('{"type":"dims.intent","intent":1,"values":[]}', "protocol.invalid"),
        ('{"type":"dims.intent","intent":1,"values":{"a":1e999}}', "protocol.invalid"),
        ('{"type":"session.pingpong"}', "protocol.unknown_type"),
        ('{"type":"scene.snapshot"}', "protocol.unknown_type"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_refuses_by_name_in_one_line(text: str | bytes, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        m.decode_client(text)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_wrong_value_that_only_speaks_of_types_is_no_unknown_type() -> None:
    with pytest.raises(ProtocolError) as caught:
        m.decode_client('{"type":"session.goodbye","reason":3}')
    assert caught.value.code == "protocol.invalid"


INTENTS = [message for message in FROM_CLIENT if "intent" in type(message).__struct_fields__]


@pytest.mark.parametrize("message", INTENTS, ids=lambda message: type(message).__name__)
@pytest.mark.parametrize("number", [0, -1, 2**53, 10**30, 1.5])
def test_intent_numbers_fit_the_pixel_header_and_javascript(message: m.Intent, number: float) -> None:
    with pytest.raises(ProtocolError):
        m.decode_client(json.dumps(json.loads(m.encode(message)) | {"intent": number}))


@pytest.mark.parametrize(
    "nonsense",
    [
        {"action": "wave"},
        {"position": [1]},
        {"position": [1, 2, 3]},
        {"position": [1.5, 2]},
        {"position": [10**9, 0]},
        {"canvas": []},
        {"button": 4},
        {"buttons": [1, 2, 3, 1]},
        {"modifiers": ["hyper"]},
    ],
    ids=str,
)
def test_a_pointer_does_only_what_pointers_do(nonsense: dict[str, Any]) -> None:
    sound = json.loads(m.encode(m.InputPointer(1, "press", [3, 4], [400, 300], 1, [1], ["shift"])))
    assert isinstance(m.decode_client(json.dumps(sound)), m.InputPointer)
    with pytest.raises(ProtocolError):
        m.decode_client(json.dumps(sound | nonsense))


def test_each_side_takes_only_what_the_other_sends() -> None:
    with pytest.raises(ProtocolError):
        m.decode_client(m.encode(m.Status("x")))
    with pytest.raises(ProtocolError):
        m.decode_server(m.encode(m.CameraIntent(1, {})))
    with pytest.raises(ProtocolError):
        m.decode_pixel_client(m.encode(m.Ping(1)))


@pytest.mark.parametrize(
    ("intent", "target"),
    [
        (m.LayerIntent(1, "L7", {}), "layer:L7"),
        (m.DimsIntent(1, {}), "dims"),
        (m.CameraIntent(1, {}), "camera"),
        (m.ViewIntent(1, {}), "view"),
        (m.SceneIntent(1, {}), "scene"),
        (m.Command(1, "layer.remove", {}), ""),
        (m.InputPointer(1, "move", [0, 0], [1, 1]), ""),
    ],
    ids=lambda value: str(value)[:20],
)
def test_target_of_an_intent(intent: m.Intent, target: str) -> None:
    assert m.target_of(intent) == target


def test_the_bound_admits_the_largest_legal_message() -> None:
    colors = [[0.12345678901234567] * 4] * 4096
    colormap = {"name": "n" * 256, "colors": colors, "controls": [0.12345678901234567] * 4097, "interpolation": "zero"}
    assert len(m.encode(m.LayerIntent(2**53 - 1, "L" * 64, {"colormap": colormap}))) <= m.MAX_MESSAGE_BYTES
