"""What is wrong with an address, in one line."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from napari_cuda.protocol.errors import DataError
from napari_cuda.server.data.remote import check_remote


class Answers(BaseHTTPRequestHandler):
    """Answers with the status that the path begins with."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.split("/")[1]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("HOST/404/a.zarr", "there is no Zarr at this address"),
        ("HOST/403/a.zarr", "refuses access"),
        ("HOST/401/a.zarr", "refuses access"),
        ("HOST/500/a", "answers 500 Internal Server Error"),
        ("http://127.0.0.1:1/a.zarr", "127.0.0.1:1 cannot be reached"),
        ("no-such-scheme://a/b", "Protocol not known: no-such-scheme"),
    ],
)
def test_one_line_says_what_is_wrong(host: str, address: str, words: str) -> None:
    url = address.replace("HOST", host)
    with pytest.raises(DataError, match=words) as caught:
        check_remote(url)
    assert str(caught.value).startswith(f"cannot open {url}: ")
    assert "\n" not in str(caught.value)


def test_a_store_and_what_ends_like_a_file_are_left_to_the_readers(host: str) -> None:
    check_remote(f"{host}/200/a.zarr")
    check_remote(f"{host}/404/picture.png")
