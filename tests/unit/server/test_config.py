from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from napari_cuda.protocol.errors import ConfigError
from napari_cuda.server.config import ServerConfig


@pytest.fixture
def tls(tmp_path: Path) -> tuple[Path, Path]:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.touch()
    key.touch()
    return certificate, key


def test_the_defaults_are_safe() -> None:
    config = ServerConfig()
    assert config.loopback
    assert config.tls is None
    assert config.roots == ()
    assert config.allowed_origins == ()
    assert len(config.token) >= 43  # 256 bits
    assert config.token != ServerConfig().token
    assert len(config.view_token) >= 43
    assert len({config.token, config.view_token, ServerConfig().view_token}) == 3


def test_the_token_is_not_shown() -> None:
    config = ServerConfig()
    assert config.token not in repr(config)
    assert config.view_token not in repr(config)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"port": -1}, "port -1"),
        ({"trusted_proxies": ("proxy.example.org",)}, "--trusted-proxy 'proxy.example.org' is no address"),
        ({"allowed_origins": ("https://example.org/page",)}, "--allow-origin 'https://example.org/page' is no origin"),
        ({"port": 65536}, "port 65536"),
        ({"size": (15, 720)}, "size 15x720"),
        ({"size": (1280, 8193)}, "size 1280x8193"),
        ({"frame_rate": 0.5}, "fps 0.5"),
        ({"frame_rate": 241}, "fps 241"),
        ({"frame_rate": math.nan}, "fps nan"),
        ({"bit_rate": 99_999}, "bit rate 99999"),
        ({"bit_rate": 2_000_000_000}, "bit rate 2000000000"),
        ({"token": "short"}, "shorter than 16"),
        ({"token": ""}, "shorter than 16"),
        ({"view_token": "short"}, "the token for viewing is shorter than 16"),
        ({"token": "t" * 16, "view_token": "t" * 16}, "who may only look needs another"),
        ({"tls": (Path("no.pem"), Path("no.key"))}, "no.pem does not exist"),
        ({"roots": (Path("/no/such/folder"),)}, "root /no/such/folder is not a folder"),
        ({"allowed_urls": ("data.example",)}, "'data.example' is no address"),
        ({"allowed_urls": ("https://",)}, "'https://' is no address"),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused_in_one_line(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ServerConfig(**options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [{"port": 0}, {"port": 65535}, {"size": (16, 8192)}, {"frame_rate": 1}], ids=str)
def test_the_bounds_themselves_are_fine(options: dict[str, Any]) -> None:
    ServerConfig(**options)


def test_a_file_is_no_root(tmp_path: Path) -> None:
    file = tmp_path / "stack.tif"
    file.touch()
    with pytest.raises(ConfigError, match="not a folder"):
        ServerConfig(roots=(tmp_path, file))
    assert ServerConfig(roots=(tmp_path,)).roots == (tmp_path,)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_loopback_needs_no_tls(host: str) -> None:
    assert ServerConfig(host=host).loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", "localhost.example.org", ""])
def test_other_addresses_need_tls(host: str, tls: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigError, match="without TLS"):
        ServerConfig(host=host)
    config = ServerConfig(host=host, tls=tls)
    assert config.tls == tls
    assert not config.loopback


def test_both_files_of_tls_must_be_there(tls: tuple[Path, Path]) -> None:
    tls[1].unlink()
    with pytest.raises(ConfigError, match=f"{tls[1].name} does not exist"):
        ServerConfig(tls=tls)
