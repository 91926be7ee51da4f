"""Commands that open and save data, as jobs. Owner: render thread, but for what the jobs do."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import PurePosixPath

from napari.layers import Layer

from napari_cuda.protocol import commands as c
from napari_cuda.protocol.errors import CommandError
from napari_cuda.server.data.chunks import Chunks
from napari_cuda.server.data.jobs import Finish, Job, Steps
from napari_cuda.server.data.opening import OpenRequest, read_layers
from napari_cuda.server.data.roots import ServedRoots
from napari_cuda.server.data.saving import check_target, write_layers, write_one_file
from napari_cuda.server.data.session_files import SessionFiles
from napari_cuda.server.render.commands import CommandContext, Commands
from napari_cuda.server.render.scene_bridge import SceneBridge

TURN_S = 0.05
"""Layers are added for so long, then others have a turn: thousands of them take a while."""


def register_data_commands(
    commands: Commands, bridge: SceneBridge, roots: ServedRoots, files: SessionFiles, chunks: Chunks | None = None
) -> None:
    """Register what this module carries out."""
    data = _DataCommands(bridge, roots, files, chunks)
    commands.register("data.open", data.open)
    commands.register("data.save", data.save)
    commands.register("data.export", data.export)
    commands.register("job.cancel", lambda context, args: context.jobs.cancel(context.sender, args.job))


@dataclass(frozen=True, slots=True)
class _DataCommands:
    """What is saved are the layers as they are while they are written: nobody has to wait for that."""

    bridge: SceneBridge
    roots: ServedRoots
    files: SessionFiles
    chunks: Chunks | None

    def open(self, context: CommandContext, args: c.OpenData) -> None:
        request = OpenRequest(args.paths, args.stack, args.plugin, args.layer_type)

        def work(job: Job) -> Finish:
            layers: list[Layer] = []
            if request.stack:
                layers = read_layers(request, self.roots, self.chunks)
            else:
                for index, path in enumerate(args.paths):
                    if index:
                        job.progress(index / len(args.paths))
                    one = OpenRequest([path], False, args.plugin, args.layer_type)
                    layers += read_layers(one, self.roots, self.chunks)

            def add() -> Steps:
                turn_ends_s = time.monotonic() + TURN_S
                for index, layer in enumerate(layers):
                    if time.monotonic() > turn_ends_s:
                        yield index / len(layers)
                        turn_ends_s = time.monotonic() + TURN_S
                    context.model.add_layer(layer)
                return {"layers": [self.bridge.layer_id(layer) for layer in layers]}

            return add

        context.jobs.start(context.sender, context.number, f"Opening {_title(args.paths)}", work)

    def save(self, context: CommandContext, args: c.SaveData) -> None:
        layers = [context.layer(layer) for layer in args.layers]

        def work(job: Job) -> Finish:
            target = check_target(args.path, self.roots, overwrite=args.overwrite)
            written = write_layers(layers, target, args.plugin, overwrite=args.overwrite, before_moving=job.check)
            return lambda: {"paths": written}

        context.jobs.start(context.sender, context.number, f"Saving {_title([args.path])}", work)

    def export(self, context: CommandContext, args: c.ExportData) -> None:
        layers = [context.layer(layer) for layer in args.layers]
        name = PurePosixPath(args.file_name).name
        if name in ("", "..") or not name.isprintable():
            raise CommandError(f"{args.file_name!r} is not a name for a file")

        def work(job: Job) -> Finish:
            with self.files.new_folder() as folder:
                file = write_one_file(layers, folder / name, args.plugin)
                job.check()
                # Now, and not when it is told: if it never is, the file goes when others come.
                result = {"download": self.files.offer(file), "name": file.name, "size_bytes": file.stat().st_size}
            return lambda: result

        context.jobs.start(context.sender, context.number, f"Writing {name} on the server", work)


def _title(paths: list[str]) -> str:
    name = paths[0].rstrip("/").rpartition("/")[2] or paths[0]
    return f"{name} and {len(paths) - 1} more" if len(paths) > 1 else name
