"""Messages of the state channel and of the pixel socket's return path.

JSON objects whose `type` names the struct. Unknown fields are ignored (a newer peer may send
more); unknown types are refused by name.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec

from napari_cuda.protocol.errors import ProtocolError
from napari_cuda.protocol.message_fields import Button, Buttons, IntentNumber, Modifiers, Notches, Place
from napari_cuda.protocol.surface_messages import (
    SurfaceIntent,
    SurfaceMessage,
    SurfaceNews,
    SurfaceQuery,
)
from napari_cuda.protocol.wire_types import Wire

PROTOCOL_VERSION = 1

MAX_MESSAGE_BYTES = 1 << 20
"""Largest state message a server reads: the biggest legal one is a custom colormap of 4096 colours."""

Values = dict[str, Wire]

MOST_DIMENSIONS = 64

Role = Literal["control", "view"]
"""What a connection may do: by the token that it showed (`protocol/roles.py`)."""

T = TypeVar("T")


class Message(msgspec.Struct, frozen=True, tag_field="type"):
    """Base of all messages but those about surfaces."""


# --- session, both directions ---------------------------------------------------------------


class Hello(Message, frozen=True, tag="session.hello"):
    """First message of a client; one that comes back shows its `resume_token`, and up to where it knows the scene."""

    versions: list[int]
    client: str
    resume_token: str = ""
    resume_revision: int = 0


class Welcome(Message, frozen=True, tag="session.welcome"):
    """The client is accepted. `viewer` goes into the pixel socket's query.

    `resume_token` proves, after a lost connection, that it is the same viewer who comes back. `taken`
    is the newest intent that the server took from that viewer: it and all before are carried out once.
    """

    version: int
    session: str
    viewer: str
    server: str
    ping_interval_s: float
    resume_token: str = ""
    taken: int = 0
    host: str = ""
    """The machine's own name: behind a tunnel the address says nothing."""
    title: str = ""
    """What the session is called: what it was started with."""
    role: Role = "control"


class Reject(Message, frozen=True, tag="session.reject"):
    """The client is refused; the server closes the socket."""

    code: str
    message: str


class Ping(Message, frozen=True, tag="session.ping"):
    """Answered at once with a pong of the same `token`."""

    token: int


class Pong(Message, frozen=True, tag="session.pong"):
    """Answer to a ping."""

    token: int


class Goodbye(Message, frozen=True, tag="session.goodbye"):
    """The sender ends the session on purpose."""

    reason: str


# --- server to client -----------------------------------------------------------------------


class LayerSpec(msgspec.Struct, frozen=True):
    """What a client needs to build the remote layer. Never pixel data.

    `extent` is [[min …], [max …]] of the data in data coordinates, [] if there is none yet; what is drawn of it
    reaches `margin` farther: half the size of the largest point.
    """

    layer: str
    kind: str
    ndim: int
    shape: list[int]
    dtype: str
    extent: list[list[float]]
    margin: float = 0.0
    rgb: bool = False
    level_shapes: list[list[int]] = []
    source: str = ""


class LayerState(msgspec.Struct, frozen=True):
    """One layer: how to build it, and the values of its properties."""

    spec: LayerSpec
    values: Values


class SceneSnapshot(Message, frozen=True, tag="scene.snapshot"):
    """The whole mirrored state at a revision."""

    revision: int
    layers: list[LayerState]
    scene: Values
    dims: Values
    camera: Values
    view: Values


class SceneUpdate(Message, frozen=True, tag="scene.update"):
    """Layers added or removed, or the order or selection changed."""

    revision: int
    added: list[LayerState] = []
    removed: list[str] = []
    values: Values = {}


class LayerUpdate(Message, frozen=True, tag="layer.update"):
    """Properties of one layer changed; `spec` too if its geometry did. `edited`: its data is other data now."""

    revision: int
    layer: str
    values: Values = {}
    spec: LayerSpec | None = None
    edited: bool = False


class DimsUpdate(Message, frozen=True, tag="dims.update"):
    """Properties of dims changed."""

    revision: int
    values: Values


class CameraUpdate(Message, frozen=True, tag="camera.update"):
    """Properties of the camera changed."""

    revision: int
    values: Values


class ViewUpdate(Message, frozen=True, tag="view.update"):
    """Properties of the view (canvas size, 2D or 3D) changed."""

    revision: int
    values: Values


class SceneResumed(Message, frozen=True, tag="scene.resumed"):
    """Instead of a snapshot: all that changed after the revision that a returning client knows, each thing once.

    It may have heard more: a layer that it has may be added, and one that it has not may be removed.
    """

    revision: int
    updates: list[Delta]


class LayerThumbnail(Message, frozen=True, tag="layer.thumbnail"):
    """Thumbnail of a layer: `height` × `width` × RGBA bytes (base64 in JSON)."""

    layer: str
    width: int
    height: int
    rgba: bytes


class LayerHistogram(Message, frozen=True, tag="layer.histogram"):
    """Histogram of a layer that this viewer shows: n counts (their logarithms if it asked so) between n + 1 edges."""

    layer: str
    bin_edges: list[float]
    counts: list[float]


class StreamConfig(Message, frozen=True, tag="stream.config"):
    """How the pixel socket of this viewer is encoded."""

    codec: str
    frame_rate: float
    renderer: str


class StreamQuality(Message, frozen=True, tag="stream.quality"):
    """How the pictures of this viewer are coded now; while they come, once a second.

    `bit_rate` is the most that is sent, `link_rate` what the link was seen to carry (bit/s; 0: it was not busy),
    `window` how many pictures may be under way, `queue_ms` how long the newest waited on the link, `coding` says how
    in words.
    """

    bit_rate: int
    link_rate: int
    window: int
    queue_ms: float
    coding: str


class Status(Message, frozen=True, tag="status"):
    """One line for the status bar, in the server's words."""

    text: str


class Refusal(msgspec.Struct, frozen=True):
    """Why something was not carried out: property `name` of `target`, or command `name` ("")."""

    target: str
    name: str
    reason: str


class Ack(Message, frozen=True, tag="ack"):
    """The intents up to `intent` are applied as of `revision`, but for what was refused."""

    intent: int
    revision: int
    refused: list[Refusal] = []


class CursorValue(Message, frozen=True, tag="cursor.value"):
    """Answer to the `cursor.query` of that number.

    `status` and `tooltip` are what napari shows: a line, or its parts by name; None if there is nothing to say.
    `value` answers a query for one layer (`protocol/data_value.py`).
    """

    query: int
    status: str | dict[str, str] | None = None
    tooltip: str = ""
    value: Any = None


class Error(Message, frozen=True, tag="error"):
    """Something went wrong that is not an answer to an intent."""

    code: str
    message: str


class Notice(Message, frozen=True, tag="notice"):
    """napari, a script or a plugin on the server tells the user something, with napari's name of its severity."""

    severity: str
    text: str


class Busy(Message, frozen=True, tag="session.busy"):
    """The server's Python is at something of its own, in words, and draws and answers nothing meanwhile.

    Comes again while that lasts, also before the scene; empty when it is over.
    """

    text: str


class InputWanted(Message, frozen=True, tag="input.wanted"):
    """What of keyboard and pointer the code on the server listens to, besides napari's own.

    `keys` are keys as napari names them, of the viewer ("") and of layers by their id, and "..." for all others.
    `pointer` lists what is to be sent even if the layer's tool is not one of the server's.
    """

    keys: dict[str, list[str]] = {}
    pointer: list[Literal["drag", "move", "wheel", "double"]] = []


class ScriptViewer(msgspec.Struct, frozen=True):
    """A napari viewer that a script made."""

    viewer: str
    title: str


class ScriptViewers(Message, frozen=True, tag="script.viewers"):
    """The napari viewers that a script made, oldest first, and which of them all clients see; "": none yet.

    Comes after the scene, and when it changed; empty on a server that runs no script.
    """

    viewers: list[ScriptViewer] = []
    shown: str = ""


class PluginEntry(msgspec.Struct, frozen=True):
    """What a plugin on the server contributes: a `command` or a `widget` for `plugin.run`, or `sample:ID` to open."""

    plugin: str
    """What it calls itself."""
    kind: Literal["command", "widget", "sample"]
    id: str
    title: str

    @property
    def dock_title(self) -> str:
        """What napari calls the dock of a widget."""
        return f"{self.title} ({self.plugin})"


class PluginMenu(Message, frozen=True, tag="plugins.menu"):
    """What the plugins on the server offer. Comes after the scene, and when a plugin was added."""

    entries: list[PluginEntry] = []


class JobUpdate(Message, frozen=True, tag="job.update"):
    """How a job stands that the command `intent` of this viewer began: long work on the server.

    `intent` is 0 for what no command began, and all clients are told: the picture waits for data, or a script or plugin
    has a progress bar, which perhaps nobody can cancel.

    `fraction` is None while nobody knows how much is left. `result` has what came of it: `layers` (ids) for
    `data.open`, `paths` for `data.save`, `download`, `name` and `size_bytes` for `data.export`.
    """

    job: str
    intent: int
    title: str
    state: Literal["running", "done", "failed", "cancelled"] = "running"
    fraction: float | None = None
    error: str = ""
    result: dict[str, Any] = {}
    can_cancel: bool = True
    traceback: str = ""
    """Of what a plugin or the data raised on the server, for whoever wrote a script; its last characters."""


class LogLines(Message, frozen=True, tag="log.lines"):
    """The answer to `log.query`: newest line's number, and lines of the server's log up to it."""

    newest: int
    lines: list[str]


# --- client to server -----------------------------------------------------------------------


class LogQuery(Message, frozen=True, tag="log.query"):
    """Ask for the server's log after line `after` (0: what there is). Not an intent: answered at once."""

    after: int = 0


class LayerIntent(Message, frozen=True, tag="layer.intent"):
    """Set properties of one layer. Absolute values: newest wins, replays are harmless."""

    intent: IntentNumber
    layer: str
    values: Values


class DimsIntent(Message, frozen=True, tag="dims.intent"):
    """Set properties of dims."""

    intent: IntentNumber
    values: Values


class CameraIntent(Message, frozen=True, tag="camera.intent"):
    """Set properties of the camera."""

    intent: IntentNumber
    values: Values


class ViewIntent(Message, frozen=True, tag="view.intent"):
    """Set properties of the view."""

    intent: IntentNumber
    values: Values


class SceneIntent(Message, frozen=True, tag="scene.intent"):
    """Set layer order or selection."""

    intent: IntentNumber
    values: Values


class Command(Message, frozen=True, tag="command"):
    """Do something that is not setting a property. Sent again only if the server did not take it."""

    intent: IntentNumber
    name: str
    args: dict[str, Any] = {}


class InputPointer(Message, frozen=True, tag="input.pointer"):
    """The pointer did `action` at `position`, (x, y) in pixels of the sender's canvas; its `canvas` is (width, height).

    `button` is what was pressed or released, `buttons` what is held afterwards: 1 left, 2 right, 3 middle. `delta`
    (x, y) is how many notches a wheel went, `inverted` if it is a natural one. `listeners` means that only the code
    that asked for it (`input.wanted`) is to see the event, and no tool: that is in the client's hands.
    """

    intent: IntentNumber
    action: Literal["press", "move", "release", "double", "wheel"]
    position: Place
    canvas: Place
    button: Button = 0
    buttons: Buttons = []
    modifiers: Modifiers = []
    delta: tuple[Notches, Notches] = (0.0, 0.0)
    inverted: bool = False
    listeners: bool = False


class InputKey(Message, frozen=True, tag="input.key"):
    """A key that the server's code listens to (`input.wanted`) was pressed or let go, as napari names it: `Ctrl+G`."""

    intent: IntentNumber
    action: Literal["press", "release"]
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class CursorQuery(Message, frozen=True, tag="cursor.query"):
    """What is at `position` (world coordinates, all dimensions)? Of a viewer's queries only the newest is answered.

    `query` counts up in each client; `after` is the newest intent sent before that is not acknowledged (0: none),
    so that the answer is about the scene as the user sees it. With `layer` it is that layer's value that is
    asked for, and `world` says whether `position` is in world or in data coordinates.
    """

    query: int
    position: Annotated[list[float], msgspec.Meta(max_length=MOST_DIMENSIONS)]
    dims_displayed: Annotated[list[int], msgspec.Meta(max_length=3)] | None = None
    view_direction: Annotated[list[float], msgspec.Meta(max_length=MOST_DIMENSIONS)] | None = None
    after: int = 0
    tooltip: bool = False
    layer: str = ""
    world: bool = True


# --- pixel socket, client to server ---------------------------------------------------------


class PixelAck(Message, frozen=True, tag="pixel.ack"):
    """The picture of packet `seq` was presented: there is room for another.

    `received_us` is when the packet had arrived, on any clock of the viewer's; `held_us` what it then took until it
    was presented: so the server tells the link from the viewer's machine. 0, 0: not known.
    """

    seq: int
    received_us: Annotated[int, msgspec.Meta(ge=0, le=1 << 62)] = 0
    held_us: Annotated[int, msgspec.Meta(ge=0, le=1 << 62)] = 0


class PixelKeyframe(Message, frozen=True, tag="pixel.keyframe"):
    """The decoder needs an IDR to go on."""

    reason: str = ""


PropertyIntent = LayerIntent | DimsIntent | CameraIntent | ViewIntent | SceneIntent
Input = InputPointer | InputKey | SurfaceIntent
"""What the hands do: never sent again after a lost connection."""
Intent = PropertyIntent | Command | Input
Delta = SceneUpdate | LayerUpdate | DimsUpdate | CameraUpdate | ViewUpdate

Query = LogQuery | CursorQuery | SurfaceQuery
"""Questions outside the numbered intents: nothing is lost with one that gets no answer."""

ClientMessage = Hello | Ping | Pong | Goodbye | Intent | Query
ServerMessage = (
    Welcome | Reject | Ping | Pong | Goodbye | SceneSnapshot | SceneResumed | Delta | LayerThumbnail | LayerHistogram
    | StreamConfig | StreamQuality | Status | Ack | Error | Notice | Busy | InputWanted | ScriptViewers | PluginMenu
    | JobUpdate | LogLines | CursorValue | SurfaceNews
)  # fmt: skip
PixelClientMessage = PixelAck | PixelKeyframe


def target_of(intent: Intent) -> str:
    """Return the object an intent is for: `dims`, `camera`, `view`, `scene`, `layer:<id>`, or ""."""
    if isinstance(intent, LayerIntent):
        return f"layer:{intent.layer}"
    targets: dict[type, str] = {DimsIntent: "dims", CameraIntent: "camera", ViewIntent: "view", SceneIntent: "scene"}
    return targets.get(type(intent), "")


AnyMessage = Message | SurfaceMessage

_encoder = msgspec.json.Encoder()
_client_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_server_decoder: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)
_pixel_decoder: msgspec.json.Decoder[PixelClientMessage] = msgspec.json.Decoder(PixelClientMessage)


def encode(message: AnyMessage) -> str:
    """Return the message as JSON text."""
    return _encoder.encode(message).decode()


def decode_client(text: str | bytes) -> ClientMessage:
    """Return a client's message; raise ProtocolError if it is malformed or of unknown type."""
    return _decode(_client_decoder, text)


def decode_server(text: str | bytes) -> ServerMessage:
    """Return a server's message; raise ProtocolError if it is malformed or of unknown type."""
    return _decode(_server_decoder, text)


def decode_pixel_client(text: str | bytes) -> PixelClientMessage:
    """Return a message of the pixel socket's return path; raise ProtocolError if it is none."""
    return _decode(_pixel_decoder, text)


def _decode(decoder: msgspec.json.Decoder[T], text: str | bytes) -> T:
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        detail = str(error)
        code = "protocol.unknown_type" if "Invalid value" in detail and "$.type" in detail else "protocol.invalid"
        raise ProtocolError(f"message refused: {detail}", code=code) from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ProtocolError(f"message is not JSON: {error}", code="protocol.malformed") from None
    except RecursionError:
        raise ProtocolError("message refused: nested too deeply", code="protocol.malformed") from None
