"""`napari-cuda doctor`: what this machine has, and what is missing."""

from __future__ import annotations

import importlib.util
import platform
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console
from rich.table import Table

from napari_cuda import settings
from napari_cuda.protocol.errors import StartupError

PACKAGES = ("napari-cuda", "napari", "vispy", "PyQt6", "PySide6", "av", "PyOpenGL", "napari-ome-zarr", "zarr", "numpy")

Row = tuple[bool, str, str]
"""(is it there, what, what was found or how to get it)."""


def report(out: Console) -> bool:
    """Print the findings; True if serving and connecting would both work here."""
    sections = {"serving": _serving(), "connecting": _connecting(), "versions": _versions()}
    for title, rows in sections.items():
        table = Table(title=title, title_justify="left", show_header=False, box=None)
        for good, what, found in rows:
            table.add_row("[green]ok[/green]" if good else "[yellow]--[/yellow]", what, found)
        out.print(table)
    return _usable(sections["serving"]) and _usable(sections["connecting"])


def _usable(rows: list[Row]) -> bool:
    return all(good for good, what, _ in rows if what.startswith("needed:"))


def _serving() -> list[Row]:
    if importlib.util.find_spec("starlette") is None:
        return [(False, "needed: server packages", "pip install 'napari-cuda[server]'")]
    from napari_cuda.server.encode.h264 import probe_encoders  # noqa: PLC0415 -- the server extra may be absent
    from napari_cuda.server.render.egl import probe_devices  # noqa: PLC0415 -- as above

    rows: list[Row] = []
    try:
        devices = probe_devices()
    except StartupError as error:
        rows.append((False, "needed: OpenGL without a display", str(error)))
    else:
        renders = any(device.renderer for device in devices)
        rows.append((renders, "needed: OpenGL without a display", "" if renders else "no EGL device renders"))
        rows += [(bool(device.renderer), f"  {device.name}", device.renderer or device.error) for device in devices]
    encoders = probe_encoders()
    rows.append((any(probe.usable for probe in encoders), "needed: an H.264 encoder", ""))
    absent = "does not open: no such hardware, or no driver"
    rows += [(probe.usable, f"  {probe.name}", "opens" if probe.usable else absent) for probe in encoders]
    return rows


def _connecting() -> list[Row]:
    rows: list[Row] = []
    if importlib.util.find_spec("av") is None or importlib.util.find_spec("napari") is None:
        return [(False, "needed: client packages", "pip install 'napari-cuda[client]'")]
    import av  # noqa: PLC0415 -- the client extra may be absent

    from napari_cuda.client.decode.choice import AUTOMATIC, probe_decoder  # noqa: PLC0415 -- as above

    software = "h264" in av.codecs_available
    rows.append((software, "needed: an H.264 decoder", "libavcodec (software)" if software else "install the av wheel"))
    for name in AUTOMATIC:
        probe = probe_decoder(name)
        rows.append((probe.usable, f"  {probe.name}", "decodes" if probe.usable else probe.reason))
    display = settings.display_name()
    rows.append((bool(display), "a display for the window", display or "none: scripts, `snapshot` and `demo` work"))
    rows.append((True, "recent connections", str(settings.recent_connections_file())))
    return rows


def _versions() -> list[Row]:
    rows: list[Row] = [(True, "Python", platform.python_version()), (True, "system", platform.platform())]
    for package in PACKAGES:
        try:
            rows.append((True, package, version(package)))
        except PackageNotFoundError:
            rows.append((False, package, "not installed"))
    return rows
