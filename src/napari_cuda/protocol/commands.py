"""The command table: what a client may ask for that is not setting a property.

A `command` message (`protocol/messages.py`) has a name and arguments. Each name is a row here:
its arguments as a struct, and what it does. The server's functions are registered by these
names (`server/render/commands.py`); the reference in `docs/protocol.md` comes from this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from napari_cuda.protocol.errors import CommandError
from napari_cuda.protocol.messages import LayerState

LayerId = Annotated[str, msgspec.Meta(max_length=64)]
ServerPath = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]

MOST_SELECTED = 100_000
"""Elements in one message: a million numbers would take 7 MB."""

MOST_PATHS = 4096
"""Files opened by one command: more are a folder."""


class ArrayData(msgspec.Struct, frozen=True):
    """A small array: its bytes in C order (base64 in JSON), `dtype` as numpy's `dtype.str`."""

    dtype: Annotated[str, msgspec.Meta(pattern="^[<>|](b1|[iu][1248]|f[248]|U[1-9][0-9]{0,4})$")]
    shape: Annotated[list[Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]], msgspec.Meta(max_length=32)]
    data: bytes


class CommandArgs(msgspec.Struct, frozen=True):
    """Base of all arguments. The docstring's first line says what the command does."""

    only_looks: ClassVar[bool] = False
    """Whether it changes nothing that others see: then who may only look may ask for it, too."""


class RemoveLayer(CommandArgs, frozen=True):
    """removes the layer"""

    layer: LayerId


class RefreshLayer(CommandArgs, frozen=True):
    """shows what was written to the layer's data; or makes colours (`remap`: their limits, too) or texts anew"""

    layer: LayerId
    what: Literal["data", "colors", "text"] = "data"
    remap: bool = False


class SelectElements(CommandArgs, frozen=True):
    """selects these points or shapes of the layer, by their numbers, and no others"""

    layer: LayerId
    elements: Annotated[list[Annotated[int, msgspec.Meta(ge=0)]], msgspec.Meta(max_length=MOST_SELECTED)]


class ResetContrastLimits(CommandArgs, frozen=True):
    """sets the contrast limits from the data ("once")"""

    layer: LayerId


class ActOnLayer(CommandArgs, frozen=True):
    """does one of napari's key actions on the layer's data, by name; `released`: the key that did it is up again"""

    layer: LayerId
    action: Annotated[str, msgspec.Meta(max_length=64)]
    released: bool = False


class ResetContrastLimitsRange(CommandArgs, frozen=True):
    """sets the range of the contrast limits from the dtype or the data, or with `to_limits` to the limits"""

    layer: LayerId
    to_limits: bool = False


class ShowHistogram(CommandArgs, frozen=True):
    """sends `layer.histogram` now, and whenever it changed once the picture is at rest; no more if not `shown`"""

    only_looks = True

    layer: LayerId
    shown: bool = True
    mode: Literal["canvas", "full"] = "canvas"
    bins: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 256
    log_scale: bool = False
    max_samples: Annotated[int, msgspec.Meta(ge=1, le=100_000_000)] = 1_000_000


class NewLabels(CommandArgs, frozen=True):
    """adds empty labels for the selected layers, as napari's button does"""


class CreateLayer(CommandArgs, frozen=True):
    """adds a layer that a client made, under the id that it gave it, with its data, or as a job with what it sent"""

    state: LayerState
    index: Annotated[int, msgspec.Meta(ge=0)]
    arrays: list[ArrayData] = []
    shape_types: list[str] = []
    elements: list[Annotated[str, msgspec.Meta(max_length=300)]] = []
    """What the last of the arrays are: sizes, colours, texts, features of single elements."""
    uploaded: Annotated[str, msgspec.Meta(max_length=4096)] = ""
    """A file that was sent and has the arrays, in NumPy's format, one behind the other; it goes once it is read."""


class LinkLayers(CommandArgs, frozen=True):
    """links layers: these (or all common) properties follow each other"""

    layers: list[LayerId]
    attributes: list[str] = []


class UnlinkLayers(CommandArgs, frozen=True):
    """undoes links"""

    layers: list[LayerId]
    attributes: list[str] = []


class MenuAction(CommandArgs, frozen=True):
    """runs an entry of napari's layer context menu on the selected layers"""

    action: Annotated[str, msgspec.Meta(max_length=64)]
    selection: list[LayerId]
    active: LayerId | None = None


class SendSnapshot(CommandArgs, frozen=True):
    """sends the snapshot again, to a client that lost count"""

    only_looks = True


class ShowViewer(CommandArgs, frozen=True):
    """turns all clients to another of the viewers that the script made (`script.viewers`)"""

    viewer: Annotated[str, msgspec.Meta(max_length=64)]


class RunPlugin(CommandArgs, frozen=True):
    """runs a command of a plugin on the server with the viewer that is shown, or opens its widget (`plugins.menu`)"""

    command: Annotated[str, msgspec.Meta(max_length=256)]


class OpenData(CommandArgs, frozen=True):
    """reads paths on the server, URLs or `sample:NAME` as a job, and adds what they give (`stack`: as one layer)"""

    paths: Annotated[list[ServerPath], msgspec.Meta(min_length=1, max_length=MOST_PATHS)]
    stack: bool = False
    plugin: Annotated[str, msgspec.Meta(max_length=256)] = ""
    layer_type: Annotated[str, msgspec.Meta(max_length=32)] = ""


class SaveData(CommandArgs, frozen=True):
    """writes layers to a path on the server as a job; its suffix chooses the format"""

    path: ServerPath
    layers: Annotated[list[LayerId], msgspec.Meta(min_length=1)]
    plugin: Annotated[str, msgspec.Meta(max_length=256)] = ""
    overwrite: bool = False


class ExportData(CommandArgs, frozen=True):
    """writes layers to a file that `GET /downloads/KEY` fetches, as a job"""

    file_name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    layers: Annotated[list[LayerId], msgspec.Meta(min_length=1)]
    plugin: Annotated[str, msgspec.Meta(max_length=256)] = ""


class CancelJob(CommandArgs, frozen=True):
    """gives up one of the sender's own jobs, of which nothing comes, or the data that the picture waits for"""

    job: Annotated[str, msgspec.Meta(max_length=64)]


COMMANDS: dict[str, type[CommandArgs]] = {
    "layer.remove": RemoveLayer,
    "layer.refresh": RefreshLayer,
    "layer.select": SelectElements,
    "layer.reset_contrast_limits": ResetContrastLimits,
    "layer.action": ActOnLayer,
    "layer.reset_contrast_limits_range": ResetContrastLimitsRange,
    "layer.create": CreateLayer,
    "layer.histogram": ShowHistogram,
    "layers.new_labels": NewLabels,
    "layers.link": LinkLayers,
    "layers.unlink": UnlinkLayers,
    "layers.menu_action": MenuAction,
    "scene.snapshot": SendSnapshot,
    "script.show_viewer": ShowViewer,
    "plugin.run": RunPlugin,
    "data.open": OpenData,
    "data.save": SaveData,
    "data.export": ExportData,
    "job.cancel": CancelJob,
}


def check_command(name: str, args: Mapping[str, Any]) -> CommandArgs:
    """Return a command's arguments; CommandError if there is no such command or they do not fit."""
    kind = COMMANDS.get(name)
    if kind is None:
        raise CommandError(f"there is no command {name!r} here")
    try:
        return msgspec.convert(dict(args), kind)
    except msgspec.ValidationError as error:
        raise CommandError(f"{name}: {error}") from None


def reference() -> list[tuple[str, str, str]]:
    """Return (name, arguments, effect) of all commands, for the docs."""
    rows = []
    for name, kind in COMMANDS.items():
        fields = msgspec.structs.fields(kind)
        args = ", ".join(f"`{field.name}`" + ("" if field.required else "?") for field in fields)
        rows.append((f"`{name}`", args or "(none)", (kind.__doc__ or "").strip()))
    return rows
