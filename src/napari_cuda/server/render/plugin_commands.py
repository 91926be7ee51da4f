"""Commands and widgets of the server's plugins, as a client's menu asks for them. Owner: render thread."""

from __future__ import annotations

import logging

from napari_cuda.protocol import commands as c
from napari_cuda.protocol.errors import CommandError
from napari_cuda.server.data.plugins import plugin_entries
from napari_cuda.server.render.commands import CommandContext, Commands
from napari_cuda.server.render.napari_window import run_contributed
from napari_cuda.server.render.refusals import first_line

log = logging.getLogger(__name__)


def register_plugin_commands(commands: Commands, *, widgets: bool) -> None:
    """Register what this module carries out; `widgets`: viewers have windows to put them into."""

    def run(context: CommandContext, args: c.RunPlugin) -> None:
        offered = {entry.id: entry for entry in plugin_entries(widgets=widgets) if entry.kind != "sample"}
        entry = offered.get(args.command)
        if entry is None:
            raise CommandError(f"no plugin of this server has a command {args.command!r} (any more)")
        try:
            run_contributed(entry.id, context.model, entry.dock_title if entry.kind == "widget" else "")
        except Exception as error:  # it is the plugin's code, and may raise anything
            log.exception("%s of the plugin %s failed", entry.title, entry.plugin)
            reason = f"{type(error).__name__}: {first_line(error)}"
            raise CommandError(f"{entry.plugin}: {entry.title} failed: {reason}") from error

    commands.register("plugin.run", run)
