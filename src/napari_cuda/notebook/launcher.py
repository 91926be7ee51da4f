"""The entry in JupyterLab's launcher: a server for this user, behind jupyter-server-proxy."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Any

READY_WITHIN_S = 60
"""A cold start takes 4 s, on a busy node's network disk many times that."""


def launcher() -> dict[str, Any]:
    """Return what jupyter-server-proxy is to start, and how it shows it. Called in the Jupyter server's process.

    Jupyter lets in its user only; to our server its proxy then shows the token, which no browser ever has: it is in the
    child's environment and not among its arguments, which others can read. Served is the folder that Jupyter serves.
    """
    token = secrets.token_urlsafe(32)
    return {
        "command": [sys.executable, "-m", "napari_cuda", "serve", "--port", "{port}", "--root", "."],
        "environment": {"NAPARI_CUDA_TOKEN": token},
        "request_headers_override": {"Authorization": f"Bearer {token}"},
        "timeout": READY_WITHIN_S,
        "launcher_entry": {
            "title": "napari",
            "icon_path": str(Path(__file__).with_name("launcher.svg")),
            "category": "Other",
        },
    }
