"""What jupyter-server-proxy is told, by the entry point of the installed package."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path


def test_the_launcher_starts_a_server_whose_token_no_browser_and_no_process_list_has() -> None:
    (entry,) = entry_points(group="jupyter_serverproxy_servers", name="napari-cuda")
    first, second = entry.load()(), entry.load()()
    token = first["environment"]["NAPARI_CUDA_TOKEN"]
    assert len(token) >= 32
    assert token != second["environment"]["NAPARI_CUDA_TOKEN"]
    assert first["request_headers_override"] == {"Authorization": f"Bearer {token}"}
    assert not any(token in word for word in first["command"])
    assert "{port}" in first["command"]
    assert Path(first["launcher_entry"]["icon_path"]).read_text().startswith("<svg")
