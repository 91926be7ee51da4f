"""The command table: arguments are checked before anything is done, and all errors are one line."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from napari_cuda.protocol import commands as c
from napari_cuda.protocol import messages as m
from napari_cuda.protocol.commands import COMMANDS, check_command, reference
from napari_cuda.protocol.errors import CommandError


def test_arguments_become_their_struct() -> None:
    assert check_command("layer.remove", {"layer": "L1"}) == c.RemoveLayer("L1")
    assert check_command("scene.snapshot", {}) == c.SendSnapshot()


def test_what_is_not_an_argument_is_ignored() -> None:
    assert check_command("layer.remove", {"layer": "L1", "later": 1}) == c.RemoveLayer("L1")


def test_bytes_travel_as_text() -> None:
    spec = m.LayerSpec(layer="new", kind="image", ndim=2, shape=[1, 2], dtype="uint8", extent=[[0, 0], [0, 1]])
    made = c.CreateLayer(m.LayerState(spec, {}), 0, [c.ArrayData("|u1", [1, 2], b"\x00\xff")])
    args = msgspec.to_builtins(made)
    sent = m.decode_client(m.encode(m.Command(1, "layer.create", args)))
    assert isinstance(sent, m.Command)
    assert check_command(sent.name, sent.args) == made


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("layer.vanish", {}, "there is no command 'layer.vanish' here"),
        ("layer.remove", {}, "layer.remove: Object missing required field `layer`"),
        ("layer.remove", {"layer": 3}, "layer.remove: Expected `str`, got `int` - at `$.layer`"),
        ("layer.remove", {"layer": "L" * 65}, "layer.remove: Expected `str` of length <= 64 - at `$.layer`"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, args: dict[str, Any], words: str) -> None:
    with pytest.raises(CommandError) as refused:
        check_command(name, args)
    assert str(refused.value) == words


def test_every_command_is_in_the_reference() -> None:
    rows = reference()
    assert [name for name, _, _ in rows] == [f"`{name}`" for name in COMMANDS]
    assert all(effect and "\n" not in effect for _, _, effect in rows)
    assert dict((name, args) for name, args, _ in rows)["`layers.link`"] == "`layers`, `attributes`?"
