"""Commands: the server's functions for the names of the command table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer

from napari_cuda.protocol import messages as m
from napari_cuda.protocol.commands import COMMANDS, check_command
from napari_cuda.protocol.errors import CommandError, NapariCudaError
from napari_cuda.server.data.jobs import Jobs
from napari_cuda.server.render.refusals import REFUSALS, first_line


@dataclass(frozen=True, slots=True)
class CommandContext:
    """What a command may use. `sender` is the name of the client's viewer that asked, `number` the command's."""

    sender: str
    number: int
    model: ViewerModel
    layer: Callable[[str], Layer]
    """Finds a layer by its id; PropertyError if there is none (any more)."""
    jobs: Jobs
    """For what takes longer than a viewer waits for a picture."""


RunCommand = Callable[[CommandContext, Any], object]
"""Called on the render thread with the checked arguments; CommandError says why it cannot be done."""


class Commands:
    """Carry out commands. Owner: render thread; register before the loop runs."""

    def __init__(self, model: ViewerModel, layer: Callable[[str], Layer], jobs: Jobs) -> None:
        self._model = model
        self._layer = layer
        self.jobs = jobs
        self._functions: dict[str, RunCommand] = {}

    def register(self, name: str, function: RunCommand) -> None:
        """Have `function` carry out the commands of a name; KeyError if the table has no such name."""
        if name not in COMMANDS:
            raise KeyError(f"the table in protocol/commands.py has no command {name!r}")
        self._functions[name] = function

    @property
    def missing(self) -> set[str]:
        """Names of the table that nobody registered."""
        return set(COMMANDS) - set(self._functions)

    def run(self, sender: str, command: m.Command) -> dict[str, str]:
        """Carry out one command; return why it was refused, by its name (empty: done)."""
        try:
            args = check_command(command.name, command.args)
            function = self._functions.get(command.name)
            if function is None:
                raise CommandError(f"this server does not carry out {command.name!r}")
            function(CommandContext(sender, command.intent, self._model, self._layer, self.jobs), args)
        except NapariCudaError as error:
            return {command.name: str(error)}
        except REFUSALS as error:
            return {command.name: f"napari refuses {command.name}: {first_line(error)}"}
        return {}
