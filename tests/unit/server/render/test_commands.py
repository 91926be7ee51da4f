"""Commands: the registry of functions by the names of the table; refusals in one line."""

from __future__ import annotations

from typing import Any

import pytest
from napari.components import ViewerModel
from napari.layers import Layer, Points

from napari_cuda.protocol import commands as c
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.commands import COMMANDS
from napari_cuda.protocol.errors import CommandError, PropertyError
from napari_cuda.server.data.jobs import Jobs
from napari_cuda.server.render.commands import CommandContext, Commands


def find(layer_id: str) -> Layer:
    if layer_id != "L1":
        raise PropertyError(f"there is no layer {layer_id!r}")
    return Points(name="spots")


def commands() -> Commands:
    return Commands(ViewerModel(), find, Jobs(lambda call: call(), lambda viewer, update: None))


def remove(layer: str) -> m.Command:
    return m.Command(7, "layer.remove", {"layer": layer})


def test_a_command_gets_its_arguments_and_who_asked() -> None:
    seen: list[tuple[str, int, str, Any]] = []
    table = commands()
    table.register(
        "layer.remove",
        lambda context, args: seen.append((context.sender, context.number, context.layer(args.layer).name, args)),
    )
    assert table.run("V1", remove("L1")) == {}
    assert seen == [("V1", 7, "spots", c.RemoveLayer("L1"))]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (CommandError("not now"), "not now"),
        (ValueError("no\nsuch thing"), "napari refuses layer.remove: such thing"),
        (NotImplementedError("for labels only"), "napari refuses layer.remove: for labels only"),
        (AssertionError(), "napari refuses layer.remove: AssertionError"),
        (MemoryError("Unable to allocate 1 PiB"), "napari refuses layer.remove: Unable to allocate 1 PiB"),
    ],
)
def test_what_it_raises_becomes_one_line(error: Exception, words: str) -> None:
    def fail(context: CommandContext, args: c.RemoveLayer) -> None:
        raise error

    table = commands()
    table.register("layer.remove", fail)
    assert table.run("V1", remove("L1")) == {"layer.remove": words}


def test_other_errors_are_mistakes_of_ours() -> None:
    def fail(context: CommandContext, args: c.RemoveLayer) -> None:
        raise RuntimeError

    table = commands()
    table.register("layer.remove", fail)
    with pytest.raises(RuntimeError):
        table.run("V1", remove("L1"))


def test_what_nobody_carries_out_is_refused() -> None:
    table = commands()
    assert table.run("V1", remove("L1")) == {"layer.remove": "this server does not carry out 'layer.remove'"}
    assert table.run("V1", m.Command(1, "vanish")) == {"vanish": "there is no command 'vanish' here"}
    assert table.missing == set(COMMANDS)
    table.register("layer.remove", lambda context, args: None)
    assert table.missing == set(COMMANDS) - {"layer.remove"}


def test_only_names_of_the_table_are_registered() -> None:
    with pytest.raises(KeyError, match="no command 'vanish'"):
        commands().register("vanish", lambda context, args: None)
