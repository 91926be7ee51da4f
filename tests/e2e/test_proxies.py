"""The page behind real proxies: nginx with TLS and a prefix, and JupyterLab's jupyter-server-proxy."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

from documented import blocks
from e2e.conftest import View, watching
from e2e.jupyter import TOKEN, Jupyter, jupyter_server
from napari_cuda.server.net.listener import KEEP_ALIVE_S
from napari_cuda.server_process import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
PREFIX = "/rooms/microscope"
IDLE_S = 12
"""How long this nginx lets a connection be silent; its own default is a minute."""

CONFIGURATION = """\
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/cert.pem;
        ssl_certificate_key {folder}/key.pem;
        proxy_read_timeout {idle}s;
        proxy_send_timeout {idle}s;
{location}
    }}
}}
"""
(LOCATION,) = blocks("docs/proxies.md", "nginx")


@dataclass(frozen=True)
class Nginx:
    """An nginx that runs, before a server."""

    url: str
    """Of the page, by TLS and below the prefix."""
    folder: Path


@contextmanager
def nginx_before(server: ServerProcess, folder: Path) -> Iterator[Nginx]:
    """Run nginx with TLS before a server, on loopback."""
    if NGINX is None:
        pytest.skip(
            "there is no nginx: scripts/setup installs it where it does not become a service (apt: nginx-light)"
        )
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    location = LOCATION.text.replace("/microscope/", f"{PREFIX}/").replace(":8765/", f":{server.port}/")
    facts = {"folder": folder, "port": port, "location": location, "idle": IDLE_S}
    (folder / "nginx.conf").write_text(CONFIGURATION.format(**facts))
    command = [NGINX, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"]
    nginx = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        until_s = time.monotonic() + 20
        while True:
            assert nginx.poll() is None, (folder / "error.log").read_text()
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < until_s, "nginx does not answer"
                time.sleep(0.05)
        yield Nginx(f"https://127.0.0.1:{port}{PREFIX}/", folder)
    finally:
        nginx.terminate()
        nginx.wait(10)


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with ServerProcess(["--size", "400x300", "sample:balls_3d"]) as server:
        yield server


@pytest.fixture(scope="module")
def nginx(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with nginx_before(server, tmp_path_factory.mktemp("nginx")) as nginx:
        yield nginx


@contextmanager
def viewed(browser: Browser, url: str) -> Iterator[tuple[View, BrowserContext]]:
    """Open a page whose certificate nobody knows; it has nothing to complain of."""
    context = browser.new_context(viewport={"width": 800, "height": 560}, ignore_https_errors=True)
    view = View(context.new_page())
    try:
        yield view.open(url), context
        assert view.complaints == []
    finally:
        context.close()


def test_behind_nginx_with_tls_and_a_prefix_the_page_is_whole(
    browser: Browser, server: ServerProcess, nginx: Nginx
) -> None:
    asked: list[str] = []
    with viewed(browser, f"{nginx.url}?token={server.token}") as (view, context), watching(server) as watcher:
        view.page.on("request", lambda request: asked.append(request.url))
        # The token is in a cookie that no script reads and only TLS carries, and nowhere else.
        assert view.page.url == nginx.url
        (cookie,) = context.cookies()
        assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")
        assert cookie["path"] == PREFIX
        assert server.token not in view.page.evaluate("() => document.cookie + JSON.stringify(localStorage)")
        assert watcher.same_as(view)
        with view.page.expect_response(lambda answer: "/files" in answer.url) as listing:
            view.press("o")
            view.page.locator("dialog[open] .nc-where").wait_for()
        assert listing.value.status == 200
        view.page.keyboard.press("Escape")
        view.button("Show in 3D").click()
        watcher.until(lambda viewer: viewer.dims.ndisplay == 3)
        view.button("Show in 2D").click()
        watcher.until(lambda viewer: viewer.dims.ndisplay == 2)
        assert watcher.same_as(view)
        view.page.reload()
        view.rest()
    assert asked
    assert all(url.startswith((nginx.url, "blob:", "data:")) for url in asked), asked
    policy = view_policy(server)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def view_policy(server: ServerProcess) -> str:
    """Return what the page may load, as the server says it."""
    request = urllib.request.Request(server.url, headers={"Authorization": f"Bearer {server.token}"})
    with urllib.request.urlopen(request) as answer:
        return str(answer.headers["Content-Security-Policy"])


def test_only_a_trusted_proxy_is_believed_about_tls() -> None:
    """127.0.0.1 is; 127.0.0.3 is as told; 127.0.0.2 is any other machine."""

    def cookie(source: str, **headers: str) -> str:
        connection = HTTPConnection("127.0.0.1", server.port, source_address=(source, 0))
        connection.request("GET", f"/?token={server.token}", headers=headers)
        answer = str(connection.getresponse().headers["Set-Cookie"])
        connection.close()
        assert "HttpOnly" in answer
        assert "SameSite=strict" in answer
        return answer

    https = {"X-Forwarded-Proto": "https"}
    with ServerProcess(["--size", "64x64", "--trusted-proxy", "127.0.0.3"]) as server:
        assert "Secure" not in cookie("127.0.0.1")
        assert "Secure" in cookie("127.0.0.1", **https)
        assert "Secure" in cookie("127.0.0.3", **https)
        assert "Secure" not in cookie("127.0.0.2", **https)


def test_at_rest_the_connections_outlive_the_patience_of_a_proxy(
    browser: Browser, server: ServerProcess, nginx: Nginx
) -> None:
    assert KEEP_ALIVE_S < IDLE_S
    sockets: list[str] = []
    with viewed(browser, f"{nginx.url}?token={server.token}") as (view, _):
        view.page.on("websocket", lambda socket: sockets.append(socket.url))
        seq = view.canvas.get_attribute("data-seq")
        # Longer than twice what nginx waits: the time is what is tested.
        view.page.wait_for_timeout(1000 * (2 * IDLE_S + 2))
        assert sockets == [], "a connection was lost, and opened anew"
        assert view.canvas.get_attribute("data-seq") == seq, "pictures were sent, though nothing changed"
        view.button("Show in 3D").click()
        view.rest()
        view.button("Show in 2D").click()
        view.rest()


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """A Jupyter server below a prefix, as a hub starts one."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "data.txt").write_text("to be seen in the dialog")
    with jupyter_server(folder, "--ServerApp.base_url=/user/ada/") as jupyter:
        yield jupyter


def test_jupyterlab_starts_a_server_from_its_launcher(browser: Browser, jupyter: Jupyter) -> None:
    context = browser.new_context(viewport={"width": 1300, "height": 900})
    lab = context.new_page()
    lab.goto(f"{jupyter.url}lab?token={TOKEN}")
    card = lab.locator(".jp-LauncherCard", has_text="napari")
    with context.expect_page() as opened:
        card.click(timeout=60_000)
    page = opened.value
    view = View(page)
    page.wait_for_url("**/user/ada/napari-cuda/", timeout=90_000)
    view.rest()
    # Nobody but Jupyter's proxy has the token.
    assert not [cookie for cookie in context.cookies() if cookie["name"].startswith("napari-cuda")]
    view.press("o")
    page.locator(".nc-entry", has_text=jupyter.folder.name).click()
    page.locator(".nc-entry", has_text="data.txt").wait_for()
    page.keyboard.press("Escape")
    assert view.complaints == []
    context.close()

    # Who has no part in this Jupyter gets nothing, and neither does a page of another place.
    stranger = browser.new_context()
    answer = stranger.request.get(f"{jupyter.url}napari-cuda/page.json", max_redirects=0)
    assert answer.status in (302, 403)
    stranger.close()


def test_a_server_of_ones_own_is_reached_through_jupyter_by_its_port(
    browser: Browser, jupyter: Jupyter, server: ServerProcess
) -> None:
    context = browser.new_context(viewport={"width": 800, "height": 560})
    page = context.new_page()
    page.goto(f"{jupyter.url}lab?token={TOKEN}")  # the user is known to Jupyter
    view = View(page).open(f"{jupyter.url}proxy/{server.port}/?token={server.token}")
    assert page.url == f"{jupyter.url}proxy/{server.port}/"
    with watching(server) as watcher:
        assert watcher.same_as(view)
    named = {cookie["name"]: cookie for cookie in context.cookies() if cookie["name"].startswith("napari-cuda")}
    (cookie,) = named.values()
    assert cookie["httpOnly"]
    context.close()
