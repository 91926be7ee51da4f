"""The command line: `napari-cuda serve | run | connect | demo | snapshot | bench | netsim | doctor`."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer
from rich.console import Console
from rich.logging import RichHandler

from napari_cuda import __version__, settings
from napari_cuda.protocol.errors import ConfigError, NapariCudaError
from napari_cuda.server_process import end_with_stdin

if TYPE_CHECKING:
    from napari_cuda.client.qt.window import StreamedViewer
    from napari_cuda.server.app import Server

app = typer.Typer(
    name="napari-cuda",
    help="napari, rendered where the data is.\n\nOn the machine with the data:  [bold]napari-cuda serve DATA[/bold]\n\n"
    "On your laptop:  [bold]napari-cuda connect URL[/bold], with the URL that serve printed.",
    rich_markup_mode="rich",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Turn what the program raises on purpose into one line and exit status 1."""
    try:
        yield
    except NapariCudaError as error:
        err.print(f"[bold red]error:[/bold red] {error}", highlight=False, markup=True)
        raise typer.Exit(1) from None


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise ConfigError(f"size {text!r} is not WIDTHxHEIGHT, such as 1280x720")
    return int(width), int(height)


def _log(level: str | None = None, *, own: bool = False) -> None:
    """Log to standard error; `own`: only what is ours, all other logging is that of a script."""
    chosen = (level or settings.load_settings().log_level).upper()
    handler = RichHandler(console=err, show_path=False)
    logging.getLogger("napari_cuda").setLevel(chosen)
    if own:
        logging.getLogger("napari_cuda").addHandler(handler)
        logging.getLogger("napari_cuda").propagate = False
        return
    logging.basicConfig(level="WARNING", format="%(message)s", handlers=[handler])
    # What libraries warn their own developers of would bury the one line that matters to a user.
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").setLevel("WARNING" if chosen == "DEBUG" else "ERROR")


# What `serve` and `run` are both told.
Host = Annotated[str, typer.Option(help="Address to listen on; anything but loopback needs TLS.")]
Port = Annotated[int, typer.Option(help="Port; 0 takes any free one.")]
CanvasSize = Annotated[str, typer.Option(help="Canvas size until a window connects, WIDTHxHEIGHT.")]
Tls = Annotated[
    tuple[Path, Path] | None, typer.Option(metavar="CERT KEY", help="TLS certificate and private key (PEM).")
]
TrustedProxy = Annotated[
    list[str] | None,
    typer.Option(help="Believe this proxy (address or network) that a browser came by TLS; always: this machine."),
]
AllowOrigin = Annotated[
    list[str] | None,
    typer.Option(help="Let pages of this origin connect: https://HOST, behind a proxy that replaces the Host header."),
]
Announce = Annotated[str | None, typer.Option(help="'json': print url, token, view_token, pid and port as one line.")]
Owned = Annotated[bool, typer.Option("--end-with-stdin", hidden=True, help="End when standard input closes.")]


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """Options before the command."""
    if version:
        out.print(__version__)
        raise typer.Exit


@app.command()
def serve(  # noqa: PLR0913 -- one parameter for each option
    paths: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders or stores to open; sample:NAME for one of napari's samples. None: empty."),
    ] = None,
    host: Host = "127.0.0.1",
    port: Port = 8765,
    root: Annotated[
        list[Path] | None, typer.Option(help="Serve only files below this folder (may be given several times).")
    ] = None,
    allow_url: Annotated[
        list[str] | None,
        typer.Option(help="Let clients open what is below this address (several times: several); else only DATA."),
    ] = None,
    size: CanvasSize = "1280x720",
    fps: Annotated[float, typer.Option(help="Most frames per second.")] = 60.0,
    bit_rate: Annotated[
        float, typer.Option(help="Most Mbit/s for each viewer; on a link that carries less, less.")
    ] = 20.0,
    scheduler: Annotated[
        str | None, typer.Option(help="Have lazy dask arrays computed by this scheduler: tcp://HOST:8786.")
    ] = None,
    tls: Tls = None,
    trusted_proxy: TrustedProxy = None,
    allow_origin: AllowOrigin = None,
    announce: Announce = None,
    owned: Owned = False,
) -> None:
    """Render data here, without a display, and stream it to napari windows elsewhere.

    Prints the exact line to run on the other machine. Listens on this machine only, with a
    fresh token: from elsewhere use an SSH tunnel ([bold]ssh -L 8765:127.0.0.1:8765 HOST[/bold]).
    """
    with _one_line_errors():
        _log()
        if announce not in (None, "json"):
            raise ConfigError(f"--announce {announce!r} is not known: use --announce json")
        # Until the server has handlers of its own an interrupt just ends the process: Python's exception would
        # rise in the middle of an import, where a library may swallow it and the server start all the same.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        from napari_cuda import api

        line = sys.stdout
        # What plugins print must not come before the line that a program reads, nor fill its pipe after it.
        with redirect_stdout(sys.stderr if announce else sys.stdout):
            api.serve(
                paths or [],
                on_ready=lambda server: _ready(server, line if announce else None, owned=owned),
                host=host,
                port=port,
                roots=tuple(root or ()),
                allowed_urls=tuple(allow_url or ()),
                size=_size(size),
                frame_rate=fps,
                bit_rate=int(1e6 * bit_rate),
                tls=tls,
                trusted_proxies=tuple(trusted_proxy or ()),
                allowed_origins=tuple(allow_origin or ()),
                **({"scheduler": scheduler} if scheduler else {}),
            )


@app.command(context_settings={"allow_interspersed_args": False})
def run(  # noqa: PLR0913 -- one parameter for each option
    script: Annotated[Path, typer.Argument(help="A napari script.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[ARGS]...", help="Its own arguments.")] = None,
    host: Host = "127.0.0.1",
    port: Port = 8765,
    root: Annotated[
        list[Path] | None, typer.Option(help="Serve clients only files below this folder (may be given several times).")
    ] = None,
    size: CanvasSize = "1280x720",
    tls: Tls = None,
    announce: Announce = None,
    owned: Owned = False,
) -> None:
    """Run a napari script here, unchanged and without a display, and stream its viewer to napari windows elsewhere.

    All that comes after SCRIPT is the script's own. It runs as under [bold]python SCRIPT[/bold], and ends as it would:
    with its last line, unless [bold]napari.run()[/bold] keeps it.
    """
    with _one_line_errors():
        _log(own=True)
        if announce not in (None, "json"):
            raise ConfigError(f"--announce {announce!r} is not known: use --announce json")
        # As in `serve`, until there are handlers.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        from napari_cuda import api

        line = sys.stdout

        def ready(server: Server, stop: Callable[[], None]) -> None:
            if owned:
                end_with_stdin(stop)
            _announce(server, line if announce else None, what=script.name)

        with redirect_stdout(sys.stderr if announce else sys.stdout):
            status = api.run(
                script, arguments or [], on_ready=ready,
                host=host, port=port, roots=tuple(root or ()), size=_size(size), tls=tls,
            )  # fmt: skip
    raise typer.Exit(status)


def _ready(server: Server, line: TextIO | None, *, owned: bool) -> None:
    if owned:
        end_with_stdin(server.stop)
    _announce(server, line, what=", ".join(layer.name for layer in server.viewer.layers) or "an empty scene")


def _announce(server: Server, line: TextIO | None, *, what: str) -> None:
    if line is not None:
        line.write(server.announcement() + "\n")
        line.flush()
        return
    out.print(f"[bold]serving[/bold] {what}", highlight=False)
    out.print(f"  rendered by {server.renderer}", highlight=False)
    out.print(f"  url    {server.url}", highlight=False)
    out.print(f"  token  {server.config.token}", highlight=False)
    out.print(f"\nconnect with\n  [bold]napari-cuda connect '{server.connect_url}'[/bold]", highlight=False)
    out.print(f"to let others look, and change nothing\n  napari-cuda connect '{server.view_url}'", highlight=False)
    if server.config.loopback:
        out.print(
            f"from another machine, first:  ssh -L {server.port}:127.0.0.1:{server.port} THIS_HOST", highlight=False
        )
    out.print("\nCtrl-C ends the server.")


@app.command()
def connect(
    url: Annotated[
        str | None,
        typer.Argument(help="The URL that `napari-cuda serve` printed, token included. None: a dialog asks."),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the server.")] = 30.0,
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve this client's metrics to Prometheus here, on loopback; 0: any free port.")
    ] = None,
) -> None:
    """Open the napari window of a scene that is served elsewhere."""
    with _one_line_errors():
        _log()
        import napari

        viewer = _connected(url, timeout, metrics_port)
        if viewer is not None:
            try:
                napari.run()
            finally:
                viewer.leave()


def _connected(url: str | None, timeout_s: float, metrics_port: int | None) -> StreamedViewer | None:
    """Return the window of `url`, or of what the user chooses; None if nothing."""
    from napari_cuda import api
    from napari_cuda.client.recent import Recent, RecentConnections

    def connect(address: str, token: str | None = None) -> StreamedViewer:
        return api.connect(address, token=token, timeout_s=timeout_s, metrics_port=metrics_port)

    recent = RecentConnections(settings.recent_connections_file())
    if url is None:
        settings.require_display()
        from napari_cuda.client.qt.connect_dialog import ask_and_connect

        return ask_and_connect(recent, connect)
    viewer = connect(url)
    recent.remember(Recent(viewer.server.address, viewer.session_title))
    return viewer


@app.command()
def snapshot(
    source: Annotated[str, typer.Argument(help="URL of a running server, or what `serve` takes: a path, sample:NAME.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The picture to write, .png.")],
    size: Annotated[str | None, typer.Option(help="Canvas size, WIDTHxHEIGHT.")] = None,
    ndisplay: Annotated[int | None, typer.Option(help="2 or 3 displayed dimensions.", min=2, max=3)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print size, revision, layers and timings as JSON.")] = False,
) -> None:
    """Write the exact picture of a scene."""
    with _one_line_errors():
        _log("warning")
        from napari_cuda import snapshot as snapshots

        report = snapshots.take(source, output, size=_size(size) if size else None, ndisplay=ndisplay)
        if as_json:
            out.file.write(json.dumps(report) + "\n")
        else:
            width, height = report["size"]
            out.print(f"wrote {output}: {width} x {height} pixels, {len(report['layers'])} layers", highlight=False)


@app.command()
def demo(
    exit_after: Annotated[bool, typer.Option("--exit", help="End after the table.")] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the picture goes.")] = Path("demo.png"),
) -> None:
    """Serve real samples and use them: in a window if there is a display, else in a scripted session."""
    with _one_line_errors():
        _log("warning")
        from napari_cuda import demo as demos

        demos.run(out, output, exit_after=exit_after)


@app.command()
def bench(
    workload: Annotated[
        list[str] | None, typer.Option("--workload", "-w", help="What is done (several times: several). None: all.")
    ] = None,
    link: Annotated[
        list[str] | None, typer.Option("--link", "-l", help="Over which simulated link; 'all': every one.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long each workload is driven.")] = 5.0,
    client: Annotated[str, typer.Option(help="'script', or 'window' if there is a display.")] = "script",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write one line of JSON for each row to this file.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Compare with what an earlier run wrote; status 1 if something got worse.")
    ] = None,
    flame: Annotated[Path | None, typer.Option(help="Write flame graphs of both sides into this folder.")] = None,
) -> None:
    """Measure the whole chain, a real server and a real client, beside its floors of the same run.

    docs/benchmarks.md says how to read the tables. What is compared are ratios: the speed of the machine cancels out.
    """
    with _one_line_errors():
        _log("warning")
        from napari_cuda.bench import report

        better = report.bench(
            out,
            report.plan(workload or [], link or [], seconds=seconds, client=client, flames=flame),
            json_file=json_file,
            against=against,
        )
        raise typer.Exit(0 if better else 1)


@app.command()
def netsim(  # noqa: PLR0913 -- one parameter for each option
    url: Annotated[str, typer.Argument(help="The URL that `napari-cuda serve` printed, token included.")],
    rtt: Annotated[str, typer.Option(help="Round trip, half of it each way.")] = "0ms",
    rate: Annotated[str, typer.Option(help="What each way carries: 20Mbit, 500kbit; empty: no limit.")] = "",
    jitter: Annotated[
        str, typer.Option(help="How much the delay varies: uniform:5ms, normal:5ms or pareto:5ms (late tail).")
    ] = "0ms",
    stall: Annotated[str, typer.Option(help="EVERY:LENGTH, such as 10s:300ms: on average, nothing passes.")] = "",
    up: Annotated[
        str, typer.Option(help="Otherwise from client to server: delay=…,rate=…,jitter=…,buffer=…,stall=…")
    ] = "",
    down: Annotated[str, typer.Option(help="The same from server to client.")] = "",
    reset: Annotated[str, typer.Option(help="Kill all connections at random, so far apart on average: 30s.")] = "",
    port: Annotated[int, typer.Option(help="Port to connect to; 0 takes any free one.")] = 0,
    seed: Annotated[int, typer.Option(help="Another seed, other random numbers.")] = 0,
) -> None:
    """Put a network between a client and a server, to see how a session does on it.

    Prints the URL to connect to instead. All connections share the link; bytes keep their order.
    What does not fit through it waits in its buffer (256 kB), as at a real bottleneck.

    A home line:  [bold]napari-cuda netsim URL --rtt 40ms --rate 20Mbit --jitter pareto:10ms[/bold]

    Slow upwards:  [bold]napari-cuda netsim URL --rtt 30ms --rate 50Mbit --up rate=2Mbit,buffer=64kB[/bold]

    A train:  [bold]napari-cuda netsim URL --rtt 80ms --rate 5Mbit --stall 10s:800ms --reset 60s[/bold]
    """
    with _one_line_errors():
        _log()
        from napari_cuda.netsim import NetSim, spec

        link = spec.both_ways(rtt=rtt, rate=rate, jitter=jitter, stall=stall)
        with NetSim(
            url,
            spec.link(down, link),
            up=spec.link(up, link),
            reset_every_s=spec.period_s(reset) if reset else None,
            port=port,
            seed=seed,
        ) as simulator:
            out.print(f"connect with\n  [bold]napari-cuda connect '{simulator.connect_url}'[/bold]", highlight=False)
            out.print("\nCtrl-C ends the simulator.")
            with suppress(KeyboardInterrupt):
                threading.Event().wait()
            sent, received = simulator.carried_bytes
            out.print(f"carried {received / 1e6:.1f} MB down, {sent / 1e6:.1f} MB up", highlight=False)


@app.command()
def doctor() -> None:
    """Say what this machine has for serving and for connecting, and what is missing."""
    with _one_line_errors():
        from napari_cuda import doctor as doctors

        raise typer.Exit(0 if doctors.report(out) else 1)
