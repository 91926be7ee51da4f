"""Settings: the only reader and writer of the process environment.

Every variable is one field of `Settings`: `NAPARI_CUDA_` + the field's name in capitals.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import NoneType
from typing import Literal, get_args, get_origin

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from napari_cuda.protocol.errors import ConfigError, StartupError

ENV_PREFIX = "NAPARI_CUDA_"

DecoderName = Literal["auto", "pyav", "emulated", "cuda", "videotoolbox"]
EncoderName = Literal["auto", "nvenc", "videotoolbox", "qsv", "amf", "v4l2", "x264"]
GlDevice = Literal["auto", "hardware", "surfaceless", "software"]
LogLevel = Literal["debug", "info", "warning", "error"]


DEFAULT_CHUNK_CACHE_MB = 1024
"""Some dozens of screens of a large picture."""

DEFAULT_UPLOAD_LIMIT_MB = 4096
"""A file of a few gigabytes is what people drop on a window; more they copy."""


class Settings(BaseSettings):
    """The table of settings. Immutable; read once at start-up with `load_settings()`."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    chunk_cache_mb: int = Field(
        default=DEFAULT_CHUNK_CACHE_MB,
        ge=16,
        description="megabytes of chunks that `serve` keeps in memory, of all data that it reads piece by piece",
    )
    decoder: DecoderName = Field(
        default="auto", description="which decoder `connect` uses; auto takes the first hardware that works, else pyav"
    )
    encoder: EncoderName = Field(
        default="auto", description="which encoder `serve` uses; auto takes the first hardware that works, else x264"
    )
    gl_device: GlDevice = Field(
        default="auto", description="which EGL devices to try; auto takes the first that renders"
    )
    log_level: LogLevel = Field(default="info", description="least severe message that is logged")
    metrics_port: int | None = Field(
        default=None, ge=0, le=65535, description="port on which `connect` serves its own metrics; 0 takes a free one"
    )
    scheduler: str | None = Field(
        default=None,
        description="address of a `dask.distributed` scheduler by which `serve` has lazy arrays computed: tcp://HOST:8786",
    )
    token: SecretStr | None = Field(
        default=None, description="access token, of `serve` and of `connect`; `serve` makes a random one if unset"
    )
    upload_limit_mb: int = Field(
        default=DEFAULT_UPLOAD_LIMIT_MB,
        ge=0,
        description="megabytes of files that the clients of `serve` may send in a session; 0 refuses uploads",
    )
    view_token: SecretStr | None = Field(
        default=None, description="token of `serve` for those who may only look; a random one is made if unset"
    )
    vt_gl_safe: bool = Field(
        default=True, description="give a decoded surface back only when the GPU has drawn it; off saves a fence"
    )

    @field_validator("decoder", "encoder", "gl_device", "log_level", mode="before")
    @classmethod
    def _ignore_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("token", "view_token")
    @classmethod
    def _token_is_one_word(cls, value: SecretStr | None) -> SecretStr | None:
        # It travels in a header and in an address; a space or newline would be lost on the way.
        if value is not None and not (value.get_secret_value().isascii() and value.get_secret_value().isprintable()):
            raise ValueError("Input should be printable ASCII")
        if value is not None and " " in value.get_secret_value():
            raise ValueError("Input should not contain spaces")
        return value


def load_settings() -> Settings:
    """Return the settings of this process, read from the environment.

    Raises ConfigError, one line that names every wrong variable, if a value is not allowed.
    """
    try:
        return Settings()
    except ValidationError as error:
        wrong = []
        for detail in error.errors():
            name = ENV_PREFIX + str(detail["loc"][0]).upper()
            value = "" if name.endswith("TOKEN") else f"={os.environ.get(name, '')!r}"
            wrong.append(f"{name}{value}: {detail['msg'].removeprefix('Value error, ')}")
        raise ConfigError("; ".join(wrong)) from None


def reference() -> list[tuple[str, str, str, str]]:
    """Return the rows of the documents' table: variable, values, default, what it does."""
    rows = []
    for name, setting in Settings.model_fields.items():
        values = _values(setting.annotation)
        default = "(none)" if setting.default is None else f"`{str(setting.default).lower()}`"
        rows.append((f"`{ENV_PREFIX}{name.upper()}`", values, default, setting.description or ""))
    return rows


def _values(kind: object) -> str:
    """Return what a setting takes, in words."""
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    inner = [part for part in get_args(kind) if part is not NoneType] or [kind]
    return {bool: "`true`, `false`", int: "whole number", float: "number"}.get(inner[0], "text")


def server_napari_config() -> Path:
    """Return where the server keeps its own napari settings; the user's are never touched."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "napari-cuda" / "server" / "napari.yaml"


def recent_connections_file() -> Path:
    """Return where `connect` keeps the servers it was connected to."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "napari-cuda" / "recent.json"
    own = os.environ.get("APPDATA") if sys.platform == "win32" else os.environ.get("XDG_CONFIG_HOME")
    return Path(own or Path.home() / ".config") / "napari-cuda" / "recent.json"


def prepare_headless_process(config_file: Path, *, adopts: bool = False) -> None:
    """Make this process one that renders without a display; call before napari or OpenGL is imported.

    `config_file` is where napari keeps its settings in this process; its folder is made. Who `adopts` napari's
    settings after this may have imported it before.
    Raises StartupError if napari or OpenGL was imported before, or the folder cannot be made.
    """
    config_file = config_file.absolute()
    _refuse_late_call(config_file, adopts=adopts)
    try:
        config_file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartupError(
            f"cannot make {config_file.parent} for the server's napari settings: {error.strerror}"
        ) from None
    os.environ["PYOPENGL_PLATFORM"] = "egl"
    os.environ["QT_QPA_PLATFORM"] = offscreen_platform()
    # Where there is an X server that platform draws widgets with its OpenGL, and X ends the process for it.
    os.environ["QT_QPA_OFFSCREEN_NO_GLX"] = "1"
    os.environ["NAPARI_CONFIG"] = str(config_file)


def offscreen_platform() -> str:
    """Return the Qt platform of a process without a display.

    Its screen would be of 800 × 800 pixels, into which Qt squeezes dialogs and pop-ups that are shown elsewhere. And
    there are several: windows that nobody sees one over the other lie beside each other.
    """
    screens = Path(__file__).parent / "server" / "render" / "offscreen_screens.json"
    # Qt cuts the name of the platform at these.
    return "offscreen" if {":", ","} & set(str(screens)) else f"offscreen:configfile={screens}"


def headless_napari_config() -> Path:
    """Return the napari settings file of this headless process.

    Raises StartupError if `prepare_headless_process` was not called.
    """
    name = os.environ.get("NAPARI_CONFIG", "")
    if not name or os.environ.get("PYOPENGL_PLATFORM") != "egl":
        raise StartupError("the process is not set up to render headless; call prepare_headless_process first")
    return Path(name)


def display_name() -> str:
    """Return the display that windows would open on, or an empty string if there is none."""
    if sys.platform in ("darwin", "win32"):
        return sys.platform
    return os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY") or ""


def require_display() -> None:
    """Raise StartupError if there is no display to open a window on: Qt would abort the process."""
    if not display_name():
        raise StartupError("there is no display to open a window on; scripts connect with window=False")


def _refuse_late_call(config_file: Path, *, adopts: bool) -> None:
    """Raise StartupError if a library has already made its choice, and made it otherwise."""
    opengl = sys.modules.get("OpenGL.platform")
    if opengl is not None and type(getattr(opengl, "PLATFORM", None)).__name__ != "EGLPlatform":
        raise StartupError("OpenGL was imported before the headless set-up; start the server in a process of its own")
    if not adopts and "napari.settings" in sys.modules and os.environ.get("NAPARI_CONFIG") != str(config_file):
        raise StartupError(
            "napari was imported before the headless set-up: call napari_cuda.prepare_server_process() first, "
            "or start the server in a process of its own"
        )
