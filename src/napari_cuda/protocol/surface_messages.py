"""Messages about surfaces: the widgets of scripts and plugins, which live on the server and are shown at the client.

A surface is what one window of Qt shows there: a dock's content, a dialog, a pop-up. Only who asks for them
(`surface.watch`) is told of them.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from napari_cuda.protocol.message_fields import Button, Buttons, IntentNumber, Modifiers, Notches, Place

LARGEST_PX = 8192
"""Width and height of a surface in pixels: more than a screen has."""

LONGEST_COMPOSED = 1000
"""Characters that an input method puts together at once: a sentence, and more than that."""

LONGEST_TEXT = 100_000
"""Characters of a clipboard that go through the state channel."""

Length = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_PX)]
SurfaceId = Annotated[str, msgspec.Meta(max_length=32)]
PixelRatio = Annotated[float, msgspec.Meta(ge=0.1, le=4.0)]
SurfaceKind = Literal["dock", "dialog", "popup", "tooltip"]


class SurfaceMessage(msgspec.Struct, frozen=True, tag_field="type"):
    """Base of these messages."""


# --- server to client -----------------------------------------------------------------------


class Surface(msgspec.Struct, frozen=True):
    """One surface; lengths in Qt's own pixels, of which the picture has `pixel_ratio` each.

    `position` is that of its top left corner, from that of `parent` ("": from that of the window). A dock says where it
    belongs: `area`, the `areas` it may be moved to, and `tabbed` if it is to lie on another one. `grabs` of a pop-up
    says that it is this viewer who opened it.
    """

    surface: SurfaceId
    kind: SurfaceKind
    size: tuple[Length, Length]
    title: str = ""
    parent: SurfaceId = ""
    position: tuple[int, int] = (0, 0)
    smallest: tuple[Length, Length] = (0, 0)
    largest: tuple[Length, Length] = (LARGEST_PX, LARGEST_PX)
    area: str = ""
    areas: list[str] = []
    tabbed: bool = False
    modal: bool = False
    grabs: bool = False


class SurfaceList(SurfaceMessage, frozen=True, tag="surface.list"):
    """All surfaces that there are, those below first; what is not in it is gone. Answered by a `surface.ack`."""

    revision: int
    surfaces: list[Surface] = []


class SurfaceBlock(msgspec.Struct, frozen=True):
    """A rectangle of a surface's picture: rows of blue, green, red and 255, deflated (zlib; base64 in JSON)."""

    x: Length
    y: Length
    width: Length
    height: Length
    pixels: bytes


class SurfaceUpdate(SurfaceMessage, frozen=True, tag="surface.update"):
    """What changed of a surface's picture, which is `size` pixels (width, height) by now. Answered by a `surface.ack`.

    A picture of another size than before begins black.
    """

    surface: SurfaceId
    revision: int
    size: tuple[Length, Length]
    pixel_ratio: PixelRatio
    blocks: list[SurfaceBlock]


class SurfaceCursor(SurfaceMessage, frozen=True, tag="surface.cursor"):
    """The cursor's shape over the surfaces for this viewer, by Qt's name."""

    shape: str


class SurfaceCaret(SurfaceMessage, frozen=True, tag="surface.caret"):
    """Where this viewer's keyboard writes: what is composed by an input method belongs there. "": nowhere.

    `place` is the caret, (x, y, width, height) in Qt's pixels from the surface's top left corner; `hints` are Qt's (of
    `Qt.InputMethodHint`), say that it is a password.
    """

    surface: SurfaceId
    place: tuple[int, int, int, int] = (0, 0, 0, 0)
    hints: int = 0


class SurfaceUnused(SurfaceMessage, frozen=True, tag="surface.unused"):
    """No widget of a dock wanted what this viewer's `surface.key` of that number did: it is the window's."""

    number: int


class SurfaceCopied(SurfaceMessage, frozen=True, tag="surface.copied"):
    """A widget put text on the server's clipboard."""

    text: str


# --- client to server -----------------------------------------------------------------------


class SurfaceWatch(SurfaceMessage, frozen=True, tag="surface.watch"):
    """Tell me of surfaces, from the start; I have so many pixels to one of Qt's."""

    pixel_ratio: PixelRatio = 1.0


class SurfaceAck(SurfaceMessage, frozen=True, tag="surface.ack"):
    """An update (or, without a surface, the list) of that revision is shown: the next may come."""

    surface: SurfaceId
    revision: int


class SurfacePointer(SurfaceMessage, frozen=True, tag="surface.pointer"):
    """The pointer did `action` at `position`, (x, y) in Qt's pixels from the surface's top left corner.

    As for `input.pointer`; `delta` of a wheel is how many notches it went. `leave`: it is over no surface any more.
    """

    intent: IntentNumber
    surface: SurfaceId
    action: Literal["press", "move", "release", "double", "wheel", "leave"]
    position: Place
    button: Button = 0
    buttons: Buttons = []
    modifiers: Modifiers = []
    delta: tuple[Notches, Notches] = (0.0, 0.0)


class SurfaceKey(SurfaceMessage, frozen=True, tag="surface.key"):
    """A key was pressed or let go: Qt's number of it, and the text that it types.

    `number` is what a `surface.unused` calls it by. A `shortcut` is one in the viewer's own window: unless a widget
    claims it before any shortcut, or has it as one, it is not the widget's.
    """

    intent: IntentNumber
    surface: SurfaceId
    action: Literal["press", "release"]
    key: Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]
    text: Annotated[str, msgspec.Meta(max_length=64)] = ""
    modifiers: Modifiers = []
    repeats: bool = False
    number: Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)] = 0
    shortcut: bool = False


class SurfaceCompose(SurfaceMessage, frozen=True, tag="surface.compose"):
    """An input method (dead keys, Japanese) wrote `text`, and is at `composing`, in which its caret is at `caret`.

    The text takes the place of what is `replaces`: where that begins, from the caret of the widget, and how long it is.
    """

    intent: IntentNumber
    surface: SurfaceId
    text: Annotated[str, msgspec.Meta(max_length=LONGEST_COMPOSED)] = ""
    composing: Annotated[str, msgspec.Meta(max_length=LONGEST_COMPOSED)] = ""
    caret: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_COMPOSED)] = 0
    replaces: tuple[
        Annotated[int, msgspec.Meta(ge=-LONGEST_TEXT, le=LONGEST_TEXT)],
        Annotated[int, msgspec.Meta(ge=0, le=LONGEST_TEXT)],
    ] = (0, 0)


class SurfaceFocus(SurfaceMessage, frozen=True, tag="surface.focus"):
    """The keyboard belongs to this surface now; "": to none."""

    intent: IntentNumber
    surface: SurfaceId


class SurfaceResize(SurfaceMessage, frozen=True, tag="surface.resize"):
    """There is so much room for a surface (width, height), in Qt's pixels."""

    intent: IntentNumber
    surface: SurfaceId
    size: tuple[Length, Length]


class SurfaceClose(SurfaceMessage, frozen=True, tag="surface.close"):
    """The user closes a surface's window; the widget may refuse."""

    intent: IntentNumber
    surface: SurfaceId


class SurfacePaste(SurfaceMessage, frozen=True, tag="surface.paste"):
    """This is on the user's clipboard, should a widget paste it now."""

    intent: IntentNumber
    text: Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]


class SurfaceTheme(SurfaceMessage, frozen=True, tag="surface.theme"):
    """napari's theme, by name, of the window that shows the surfaces."""

    intent: IntentNumber
    theme: Annotated[str, msgspec.Meta(max_length=64)]


SurfaceNews = SurfaceList | SurfaceUpdate | SurfaceCursor | SurfaceCaret | SurfaceUnused | SurfaceCopied
SurfaceQuery = SurfaceWatch | SurfaceAck
"""Not intents: who may only look may say them."""
SurfaceIntent = (
    SurfacePointer
    | SurfaceKey
    | SurfaceCompose
    | SurfaceFocus
    | SurfaceResize
    | SurfaceClose
    | SurfacePaste
    | SurfaceTheme
)


def merged(older: SurfaceIntent, newer: SurfaceIntent) -> SurfaceIntent | None:
    """Return what stands for both of two intents that wait one after the other; None if each must be seen."""
    if isinstance(older, SurfacePointer) and isinstance(newer, SurfacePointer):
        moved = older.action == newer.action == "move" and older.surface == newer.surface
        return newer if moved and (older.buttons, older.modifiers) == (newer.buttons, newer.modifiers) else None
    for kind in (SurfaceResize, SurfaceTheme, SurfacePaste, SurfaceFocus):
        if isinstance(older, kind) and isinstance(newer, kind):
            same = getattr(older, "surface", "") == getattr(newer, "surface", "") or kind is SurfaceFocus
            return newer if same else None
    return None
