"""ClientConfig: where to connect and as whom, parsed once."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from napari_cuda.protocol.errors import ConfigError
from napari_cuda.settings import DecoderName

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """Options of `connect`. `base` is the WebSocket address without path or token."""

    base: str
    token: str = field(repr=False)
    connect_timeout_s: float = 10.0
    metrics_port: int | None = None
    """Where this client's own metrics are served, on loopback; None: nowhere."""
    metrics_optional: bool = False
    """Whether to go on without them if that port is taken."""
    decoder: DecoderName = "auto"
    gl_safe: bool = True
    """Whether a decoder's surface is held until the GPU has read it."""
    overlays: bool = False
    """Whether the server draws the overlays into the pictures, because nobody does here."""

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        token: str | None = None,
        metrics_port: int | None = None,
        metrics_optional: bool = False,
        decoder: DecoderName = "auto",
        gl_safe: bool = True,
    ) -> ClientConfig:
        """Parse the URL that `serve` printed; ConfigError in one line if it is none.

        The token comes from `?token=` or the argument.
        """
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            usable = parts.hostname is not None and parts.port != 0
        except ValueError:  # no port number, no IPv6 address
            usable = False
        if not usable or parts.scheme not in _SCHEMES:
            raise ConfigError(f"{url!r} is not a server address: expected http://HOST:PORT/?token=TOKEN")
        found = token or parse_qs(parts.query).get("token", [""])[0]
        if not found:
            raise ConfigError(f"{url!r} has no token: use the whole URL that `napari-cuda serve` printed")
        return cls(
            base=f"{_SCHEMES[parts.scheme]}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}",
            token=found,
            metrics_port=metrics_port,
            metrics_optional=metrics_optional,
            decoder=decoder,
            gl_safe=gl_safe,
        )

    @property
    def address(self) -> str:
        """The server's address as `connect` takes it, without the token."""
        return f"{self.base.replace('ws', 'http', 1)}/"

    @property
    def state_url(self) -> str:
        """Address of the state socket."""
        return f"{self.base}/ws/state"

    def pixels_url(self, viewer: str, *, full_color: bool = False) -> str:
        """Address of the pixel socket of a viewer, who can decode 4:4:4 if `full_color`."""
        options = ("&overlays=1" if self.overlays else "") + ("&color=full" if full_color else "")
        return f"{self.base}/ws/pixels?viewer={viewer}{options}"
