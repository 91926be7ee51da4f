"""One well-formed message of each type that a client may send: a type without one fails the tests that use these."""

from __future__ import annotations

from typing import get_args

from napari_cuda.protocol import messages as m
from napari_cuda.protocol import surface_messages as s
from napari_cuda.protocol.commands import COMMANDS

_EXAMPLES: list[m.ClientMessage] = [
    m.Hello([m.PROTOCOL_VERSION], "a test"),
    m.Ping(1),
    m.Pong(1),
    m.Goodbye("enough"),
    m.LayerIntent(1, "L1", {"opacity": 0.25}),
    m.DimsIntent(1, {"ndim": 2}),
    m.CameraIntent(1, {"zoom": 7.0}),
    m.ViewIntent(1, {"ndisplay": 3}),
    m.SceneIntent(1, {"selection": []}),
    m.InputPointer(1, "press", [10, 10], [100, 100], 1, [1]),
    m.InputKey(1, "press", "Ctrl+G"),
    s.SurfacePointer(1, "S1", "press", [3, 4], 1, [1]),
    s.SurfaceKey(1, "S1", "press", 65, "a"),
    s.SurfaceCompose(1, "S1", "é"),
    s.SurfaceFocus(1, "S1"),
    s.SurfaceResize(1, "S1", (300, 200)),
    s.SurfaceClose(1, "S1"),
    s.SurfacePaste(1, "text"),
    s.SurfaceTheme(1, "light"),
    s.SurfaceWatch(2.0),
    s.SurfaceAck("S1", 1),
    m.LogQuery(),
    m.CursorQuery(1, [0.0, 0.0]),
]

COMMAND_EXAMPLES = [m.Command(1, name) for name in COMMANDS]
"""A command of each name. Arguments do not matter to who may not ask for it at all."""

MESSAGES = [*_EXAMPLES, *COMMAND_EXAMPLES]

WITHOUT_EXAMPLE = set(get_args(m.ClientMessage)) - {type(message) for message in MESSAGES}
