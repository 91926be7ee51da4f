"""The public Python API: `connect` to a server, `serve` a scene."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload
from weakref import WeakSet

from napari_cuda import __version__, settings
from napari_cuda.notebook.kernel import Kernel, running_kernel
from napari_cuda.protocol.errors import StartupError
from napari_cuda.worker import take_short_turns

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_cuda.client.headless import RemoteViewer
    from napari_cuda.client.qt.window import StreamedViewer
    from napari_cuda.notebook.widget import SessionWidget
    from napari_cuda.server.app import Server
    from napari_cuda.server.config import ServerConfig

NOTEBOOK_SIZE_PX = (800, 500)
"""About a cell's: the picture that a saved notebook keeps if no page was there."""

_shown: WeakSet[SessionWidget] = WeakSet()
"""The sessions of this kernel."""


class Array(Protocol):
    """What napari takes as an image: numpy's, dask's, zarr's …"""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sides."""

    @property
    def dtype(self) -> Any:
        """The kind of its values."""


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
    target: str | Path | Iterable[str | Path] | ViewerModel | Callable[[ViewerModel], object] | Array = (),
    *,
    on_ready: Callable[[Server], None] = lambda server: None,
    **options: Any,
) -> SessionWidget | None:
    """Serve paths, an array, or a viewer model, from this process.

    In a script: until interrupted; it blocks the main thread, and a viewer model of your own needs
    `prepare_server_process()` before napari is imported. In a cell of a notebook: returns the live session, which
    shows itself in the cell and has `.viewer`, `.url()`, `.screenshot()` and `.close()`; the kernel stays free.
    `target` may also be a function that adds layers to the viewer it is given.
    `options` are the fields of `ServerConfig` (host, port, roots, size, frame_rate, token …).
    `on_ready` gets the server once it answers: its `connect_url` is what a client needs.
    Raises ConfigError, StartupError or DataError in one line.
    """
    kernel = running_kernel()
    paths, viewer = _targets(target)
    if kernel is not None:
        return _show(kernel, paths, viewer, on_ready, options)
    prepare_server_process()
    from napari_cuda.server.lifecycle import serve as serve_until_interrupted  # noqa: PLC0415

    serve_until_interrupted(_config(options), paths, viewer, on_ready=on_ready)
    return None


def _show(
    kernel: Kernel, paths: list[str], viewer: Any, on_ready: Callable[[Server], None], options: dict[str, Any]
) -> SessionWidget:
    """Return a new session of this kernel, or the one that shows the viewer already."""
    known = (shown for shown in _shown if not (callable(viewer) or shown.ended) and shown.viewer is viewer)
    shown = next(known, None)
    if shown is not None:
        return shown
    settings.prepare_headless_process(settings.server_napari_config(), adopts=True)
    from napari_cuda.server.render.egl import require_egl  # noqa: PLC0415 -- the server extra may be absent

    require_egl()
    take_short_turns()
    try:
        from napari_cuda.notebook.session import NotebookSession  # noqa: PLC0415 -- the environment comes first
        from napari_cuda.notebook.widget import SessionWidget  # noqa: PLC0415 -- needs the notebook extra
    except ModuleNotFoundError as error:
        raise StartupError(
            f"{error.name} is missing, which a session in a notebook needs: pip install 'napari-cuda[notebook]'"
        ) from None

    config = _config({"port": 0, "size": NOTEBOOK_SIZE_PX} | options)
    session = NotebookSession(kernel, config, None if callable(viewer) else viewer, paths)
    if callable(viewer):
        viewer(session.viewer)
    on_ready(session.server)
    widget = SessionWidget(kernel, session)
    _shown.add(widget)
    return widget


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

    take_short_turns()  # before anything starts threads: they inherit it
    # Before napari is imported: without libEGL, Qt fails with words that help nobody.
    require_egl()


def _targets(target: Any) -> tuple[list[str], Any]:
    """Return the paths to open, and the viewer to open them in or what makes its layers."""
    if isinstance(target, (str, Path)):
        return [str(target)], None
    if hasattr(target, "shape") and hasattr(target, "dtype"):
        return [], lambda viewer: viewer.add_image(target)
    if hasattr(target, "layers") or callable(target):
        return [], target
    return [str(path) for path in target], None
