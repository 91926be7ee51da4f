"""Settings: the table, its errors, and the set-up of a headless process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from napari_cuda.protocol.errors import ConfigError, StartupError
from napari_cuda.settings import (
    Settings,
    headless_napari_config,
    load_settings,
    recent_connections_file,
    reference,
    server_napari_config,
)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DECODER", "GL_DEVICE", "LOG_LEVEL", "TOKEN", "VT_GL_SAFE"):
        monkeypatch.delenv(f"NAPARI_CUDA_{name}", raising=False)


def test_defaults() -> None:
    settings = load_settings()
    assert (settings.gl_device, settings.log_level, settings.token) == ("auto", "info", None)
    assert (settings.decoder, settings.vt_gl_safe) == ("auto", True)


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_CUDA_DECODER", "VideoToolbox")
    monkeypatch.setenv("NAPARI_CUDA_GL_DEVICE", " Software")
    monkeypatch.setenv("NAPARI_CUDA_VT_GL_SAFE", "0")
    monkeypatch.setenv("NAPARI_CUDA_TOKEN", "secret-word")
    monkeypatch.setenv("NAPARI_CUDA_LOG_LEVEL", "")
    settings = load_settings()
    assert (settings.decoder, settings.gl_device, settings.vt_gl_safe) == ("videotoolbox", "software", False)
    assert settings.log_level == "info"
    assert settings.token is not None
    assert settings.token.get_secret_value() == "secret-word"
    assert "secret-word" not in repr(settings)


def test_bad_values_are_one_line_that_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_CUDA_DECODER", "nvdec")
    monkeypatch.setenv("NAPARI_CUDA_GL_DEVICE", "vulkan")
    monkeypatch.setenv("NAPARI_CUDA_LOG_LEVEL", "perhaps")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    message = str(caught.value)
    assert "NAPARI_CUDA_GL_DEVICE='vulkan': Input should be 'auto', 'hardware', 'surfaceless' or 'software'" in message
    assert "NAPARI_CUDA_LOG_LEVEL='perhaps'" in message
    assert "NAPARI_CUDA_DECODER='nvdec'" in message
    assert "\n" not in message


def test_the_port_of_the_metrics_is_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().metrics_port is None
    monkeypatch.setenv("NAPARI_CUDA_METRICS_PORT", "9100")
    assert load_settings().metrics_port == 9100
    monkeypatch.setenv("NAPARI_CUDA_METRICS_PORT", "70000")
    with pytest.raises(ConfigError, match=r"^NAPARI_CUDA_METRICS_PORT='70000': Input should be less than or equal"):
        load_settings()


def test_the_reference_has_every_setting_with_its_values() -> None:
    rows = {variable.strip("`"): (values, default) for variable, values, default, _ in reference()}
    assert set(rows) == {f"NAPARI_CUDA_{name.upper()}" for name in Settings.model_fields}
    assert rows["NAPARI_CUDA_LOG_LEVEL"] == ("`debug`, `info`, `warning`, `error`", "`info`")
    assert rows["NAPARI_CUDA_METRICS_PORT"] == ("whole number", "(none)")
    assert rows["NAPARI_CUDA_TOKEN"] == ("text", "(none)")
    assert all(meaning for *_, meaning in reference())


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "schlüssel"])
def test_a_bad_token_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("NAPARI_CUDA_TOKEN", token)
    with pytest.raises(ConfigError, match=r"^NAPARI_CUDA_TOKEN: Input should") as caught:
        load_settings()
    assert token not in str(caught.value)


def test_the_servers_napari_settings_live_in_the_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = server_napari_config()
    assert path.name == "napari.yaml"
    assert "napari-cuda" in path.parts


def test_a_process_that_was_not_set_up_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAPARI_CONFIG", raising=False)
    with pytest.raises(StartupError, match="call prepare_headless_process first"):
        headless_napari_config()


def test_set_up_and_its_refusals(tmp_path: Path) -> None:
    code = f"""
import os, sys, types
from pathlib import Path
from napari_cuda.protocol.errors import StartupError
from napari_cuda.settings import headless_napari_config, prepare_headless_process
folder = Path({str(tmp_path)!r})
(folder / "file").write_text("")
try:
    prepare_headless_process(folder / "file" / "napari.yaml")
except StartupError as error:
    assert "cannot make" in str(error), error
else:
    raise SystemExit("a folder inside a file was accepted")
prepare_headless_process(folder / "new" / "napari.yaml")
prepare_headless_process(folder / "new" / "napari.yaml")
assert (folder / "new").is_dir()
assert headless_napari_config() == folder / "new" / "napari.yaml"
assert os.environ["PYOPENGL_PLATFORM"] == "egl"
assert os.environ["QT_QPA_PLATFORM"].partition(":")[0] == "offscreen"
sys.modules["OpenGL.platform"] = types.SimpleNamespace(PLATFORM=object())
try:
    prepare_headless_process(folder / "new" / "napari.yaml")
except StartupError as error:
    assert "OpenGL was imported before" in str(error), error
else:
    raise SystemExit("OpenGL on another platform was accepted")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_recent_connections_follow_the_users_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert recent_connections_file() == tmp_path / "napari-cuda" / "recent.json"
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    assert recent_connections_file() == Path.home() / ".config" / "napari-cuda" / "recent.json"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("APPDATA", str(tmp_path / "roaming"))
    assert recent_connections_file() == tmp_path / "roaming" / "napari-cuda" / "recent.json"
