"""The public Python API: `connect` to a server, `serve` a scene."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from napari_cuda import __version__, settings
from napari_cuda.worker import take_short_turns

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_cuda.client.headless import RemoteViewer
    from napari_cuda.client.qt.window import StreamedViewer
    from napari_cuda.server.app import Server
    from napari_cuda.server.config import ServerConfig


@overload
def connect(
    url: str,
    *,
    window: Literal[True] = True,
    token: str | None = None,
    timeout_s: float = 30.0,
    metrics_port: int | None = None,
) -> StreamedViewer: ...
@overload
def connect(
    url: str,
    *,
    window: Literal[False],
    token: str | None = None,
    timeout_s: float = 30.0,
    metrics_port: int | None = None,
) -> RemoteViewer: ...
def connect(
    url: str,
    *,
    window: bool = True,
    token: str | None = None,
    timeout_s: float = 30.0,
    metrics_port: int | None = None,
) -> StreamedViewer | RemoteViewer:
    """Connect to the server at `url` (as `napari-cuda serve` printed it) and return its viewer.

    With a window: the napari viewer whose canvas shows the stream; show it with `napari.run()`.
    Without: the same viewer model for scripts, with `sync()`, `screenshot()` and `close()`.
    `metrics_port` serves what this client counts and times to Prometheus, on this machine only (0: any free port).
    Raises ConfigError for an address that is none, ConnectError if the server cannot be
    reached or refuses us, StartupError for a window without a display or a `metrics_port` that is
    taken (one that comes from the environment is done without, with a warning).
    """
    from napari_cuda.client.config import ClientConfig  # noqa: PLC0415 -- the client extra may be absent

    own = settings.load_settings()
    config = ClientConfig.from_url(
        url,
        token=token or (own.token.get_secret_value() if own.token else None),
        metrics_port=own.metrics_port if metrics_port is None else metrics_port,
        metrics_optional=metrics_port is None,  # a port for all clients of this machine: one of them has it
        decoder=own.decoder,
        gl_safe=own.vt_gl_safe,
    )
    client = f"napari-cuda {__version__}"
    take_short_turns()
    if window:
        settings.require_display()
        from napari_cuda.client.qt.window import connect_window  # noqa: PLC0415 -- needs Qt

        return connect_window(config, timeout_s=timeout_s, client=client)
    from napari_cuda.client.headless import connect_headless  # noqa: PLC0415 -- needs napari

    return connect_headless(config, timeout_s=timeout_s, client=client)


def serve(
    target: str | Path | Iterable[str | Path] | ViewerModel | Callable[[ViewerModel], object] = (),
    *,
    on_ready: Callable[[Server], None] = lambda server: None,
    **options: Any,
) -> None:
    """Serve paths, or a viewer model, from this process until interrupted. Blocks the main thread.

    `target` may also be a function that adds layers to the viewer it is given. A viewer model of
    your own needs `prepare_server_process()` before napari is imported; the others do not.
    `options` are the fields of `ServerConfig` (host, port, roots, size, frame_rate, token …).
    `on_ready` gets the server once it answers: its `connect_url` is what a client needs.
    Raises ConfigError, StartupError or DataError in one line.
    """
    prepare_server_process()
    from napari_cuda.server.lifecycle import serve as serve_until_interrupted  # noqa: PLC0415

    paths, viewer = _targets(target)
    serve_until_interrupted(_config(options), paths, viewer, on_ready=on_ready)


def run(
    script: str | Path,
    arguments: Iterable[str] = (),
    *,
    on_ready: Callable[[Server, Callable[[], None]], None] = lambda server, stop: None,
    **options: Any,
) -> int:
    """Run a napari script as `python SCRIPT ARGUMENTS` does, its viewers on a server; return its exit status.

    Blocks the main thread of a process that must be for this script only. `options` are those of `serve`. `on_ready`
    gets the server, before the script begins, and what ends the script from any thread.
    Raises ConfigError or StartupError in one line.
    """
    prepare_server_process()
    from napari_cuda.server.lifecycle import run_script  # noqa: PLC0415 -- the environment comes first

    return run_script(_config(options), Path(script), list(arguments), on_ready=on_ready)


def _config(options: dict[str, Any]) -> ServerConfig:
    """Return what a server is told: the options, and for what they leave open the environment."""
    from napari_cuda.server.config import ServerConfig  # noqa: PLC0415 -- the environment comes first

    chosen = settings.load_settings()
    defaults: dict[str, Any] = {
        "gl_device": chosen.gl_device,
        "encoder": chosen.encoder,
        "upload_limit_mb": chosen.upload_limit_mb,
        "chunk_cache_mb": chosen.chunk_cache_mb,
        "scheduler": chosen.scheduler,
    }
    if chosen.token is not None:
        defaults["token"] = chosen.token.get_secret_value()
    if chosen.view_token is not None:
        defaults["view_token"] = chosen.view_token.get_secret_value()
    roots = tuple(Path(root) for root in options.pop("roots", ()))
    return ServerConfig(**defaults | options, roots=roots)


def prepare_server_process() -> None:
    """Set this process up for rendering; must come before napari is imported."""
    settings.prepare_headless_process(settings.server_napari_config())
    from napari_cuda.server.render.egl import require_egl  # noqa: PLC0415 -- the server extra may be absent

    # Before napari is imported: without libEGL, Qt fails with words that help nobody.
    require_egl()
    take_short_turns()


def _targets(target: Any) -> tuple[list[str], Any]:
    if isinstance(target, (str, Path)):
        return [str(target)], None
    if hasattr(target, "layers") or callable(target):
        return [], target
    return [str(path) for path in target], None
