"""ServerConfig: everything a server is told at start, checked once."""

from __future__ import annotations

import ipaddress
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from napari_cuda.protocol.errors import ConfigError
from napari_cuda.settings import DEFAULT_CHUNK_CACHE_MB, DEFAULT_UPLOAD_LIMIT_MB, EncoderName, GlDevice

SMALLEST_PX, LARGEST_PX = 16, 8192
SHORTEST_TOKEN = 16


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Options of `serve`. Sizes in pixels (width, height), rates per second.

    Raises ConfigError, in one line, for what cannot work or would not be safe.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    roots: tuple[Path, ...] = ()
    size: tuple[int, int] = (1280, 720)
    frame_rate: float = 60.0
    bit_rate: int = 20_000_000
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    view_token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    """Who shows this one may only look."""
    tls: tuple[Path, Path] | None = None
    """Certificate and private key, both PEM."""
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks of proxies that are believed when they say that a browser came by TLS, besides those of
    this machine."""
    gl_device: GlDevice = "auto"
    encoder: EncoderName = "auto"
    upload_limit_mb: int = DEFAULT_UPLOAD_LIMIT_MB
    """What all clients together may send in a session; 0: nothing."""
    allowed_urls: tuple[str, ...] = ()
    """Clients may open what is below these, besides what is served."""
    chunk_cache_mb: int = DEFAULT_CHUNK_CACHE_MB
    """Chunks of all data that is read piece by piece, kept in memory."""
    scheduler: str | None = None
    """Address of a dask.distributed scheduler for lazy arrays; None: threads of this process."""

    def __post_init__(self) -> None:
        """Check what does not depend on the machine."""
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port {self.port} is not between 0 and 65535 (0: any free port)")
        if not all(SMALLEST_PX <= side <= LARGEST_PX for side in self.size):
            raise ConfigError(f"size {self.size[0]}x{self.size[1]} is not within {SMALLEST_PX} to {LARGEST_PX} pixels")
        if not 1 <= self.frame_rate <= 240:
            raise ConfigError(f"fps {self.frame_rate:g} is not between 1 and 240")
        if not 100_000 <= self.bit_rate <= 1_000_000_000:
            raise ConfigError(f"bit rate {self.bit_rate} is not between 0.1 and 1000 Mbit/s")
        for name, token in (("the token", self.token), ("the token for viewing", self.view_token)):
            if len(token) < SHORTEST_TOKEN:
                raise ConfigError(f"{name} is shorter than {SHORTEST_TOKEN} characters: too easy to guess")
        if self.token == self.view_token:
            raise ConfigError("the token for viewing is that for control: who may only look needs another")
        self._check_places()
        if not self.loopback and self.tls is None:
            raise ConfigError(
                f"refusing to listen on {self.host} without TLS: pixels and token would cross the network in the "
                "clear. Use --tls CERT KEY, or keep 127.0.0.1 and an SSH tunnel"
            )

    def _check_places(self) -> None:
        for proxy in self.trusted_proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError:
                raise ConfigError(f"--trusted-proxy {proxy!r} is no address such as 10.0.0.2 or 10.0.0.0/24") from None
        for file in self.tls or ():
            if not file.is_file():
                raise ConfigError(f"TLS file {file} does not exist")
        for url in self.allowed_urls:
            if not re.fullmatch(r"[a-z0-9+]+://[^/\s]+(/\S*)?", url):
                raise ConfigError(f"--allow-url {url!r} is no address such as https://HOST/FOLDER or s3://BUCKET")
        if self.scheduler is not None and not re.fullmatch(r"((tcp|tls|ws|wss)://)?[^/\s]+:\d+", self.scheduler):
            raise ConfigError(f"--scheduler {self.scheduler!r} is no address such as tcp://HOST:8786")
        for origin in self.allowed_origins:
            if not re.fullmatch(r"https?://[^/\s]+", origin):
                raise ConfigError(f"--allow-origin {origin!r} is no origin such as https://HOST, without a path")
        for root in self.roots:
            if not root.is_dir():
                raise ConfigError(f"root {root} is not a folder")

    @property
    def loopback(self) -> bool:
        """True if only this machine can reach the port."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
