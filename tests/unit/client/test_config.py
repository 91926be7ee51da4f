from __future__ import annotations

from dataclasses import replace

import pytest

from napari_cuda.client.config import ClientConfig
from napari_cuda.protocol.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "base", "token"),
    [
        ("http://127.0.0.1:8765/?token=abc", "ws://127.0.0.1:8765", "abc"),
        ("http://127.0.0.1:8765?token=abc", "ws://127.0.0.1:8765", "abc"),
        ("https://lab.example/?token=abc", "wss://lab.example", "abc"),
        ("ws://h:1/?token=abc", "ws://h:1", "abc"),
        ("wss://h:1/?token=abc", "wss://h:1", "abc"),
        ("localhost:8765/?token=abc", "ws://localhost:8765", "abc"),
        ("HTTP://h:1/?token=abc", "ws://h:1", "abc"),
        ("http://[::1]:8765/?token=abc", "ws://[::1]:8765", "abc"),
        ("https://proxy.example/napari/?token=abc", "wss://proxy.example/napari", "abc"),
        ("http://user:secret@h:1/?token=abc", "ws://h:1", "abc"),
        ("http://h:1/?x=1&token=a%2Bb", "ws://h:1", "a+b"),
    ],
)
def test_what_serve_prints_is_understood(url: str, base: str, token: str) -> None:
    config = ClientConfig.from_url(url)
    assert (config.base, config.token) == (base, token)
    assert config.state_url == f"{base}/ws/state"
    assert config.pixels_url("V1") == f"{base}/ws/pixels?viewer=V1"


def test_a_token_of_its_own_wins_and_the_addresses_have_none() -> None:
    config = ClientConfig.from_url("http://h:1/?token=old", token="new-token")
    assert config.token == "new-token"
    assert "new-token" not in config.state_url + config.pixels_url("V1") + repr(config)
    assert ClientConfig.from_url("http://h:1", token="t").token == "t"


def test_metrics_are_served_only_if_asked_for() -> None:
    assert ClientConfig.from_url("http://h:1", token="t").metrics_port is None
    assert ClientConfig.from_url("http://h:1", token="t", metrics_port=9100).metrics_port == 9100


@pytest.mark.parametrize(
    "url",
    [
        "", "http://", "http:///x?token=a", "ftp://h/?token=a", "file:///data.tif", "://h?token=a",
        "http://h:port/?token=a", "http://h:99999/?token=a", "http://h:-1/?token=a", "http://h:0/?token=a",
        "http://[::1/?token=a", "http://:8765/?token=a",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(ConfigError, match="is not a server address: expected http://HOST:PORT/") as caught:
        ClientConfig.from_url(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://h:1", "http://h:1/?token=", "http://h:1/?tok=abc", "http://h:1/#token=abc"])
def test_an_address_without_a_token_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="has no token: use the whole URL"):
        ClientConfig.from_url(url)


def test_who_draws_no_overlays_or_decodes_4_4_4_says_so() -> None:
    config = ClientConfig("ws://h:1", "abc")
    assert config.pixels_url("v1") == "ws://h:1/ws/pixels?viewer=v1"
    assert replace(config, overlays=True).pixels_url("v1") == "ws://h:1/ws/pixels?viewer=v1&overlays=1"
    assert config.pixels_url("v1", full_color=True) == "ws://h:1/ws/pixels?viewer=v1&color=full"
