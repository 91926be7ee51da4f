"""napari, rendered where the data is.

`serve(…)` next to the data, `connect(url)` on the laptop.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_cuda.api import connect, prepare_server_process, serve

__all__ = ["__version__", "connect", "prepare_server_process", "serve"]

try:
    __version__ = version("napari-cuda")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0.0.0"


def __getattr__(name: str) -> Any:
    # Late: importing napari_cuda must not import napari, whose environment has to be set first.
    if name in ("connect", "prepare_server_process", "serve"):
        from napari_cuda import api  # noqa: PLC0415

        return getattr(api, name)
    raise AttributeError(f"module 'napari_cuda' has no attribute {name!r}")
