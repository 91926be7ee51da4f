"""Connections that come as messages are to an application what WebSockets and requests are."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from napari_cuda.server.net.channels import MOST_CHANNELS, MOST_UNREAD, MOST_UNTAKEN, Channels

HeardT = list[tuple[Mapping[str, Any], Sequence[bytes]]]


async def echo(socket: WebSocket) -> None:
    """Say back what is said, with who may and what was asked; as bytes what is long."""
    if socket.query_params.get("refused"):
        await socket.send_denial_response(JSONResponse({"message": "not you"}, status_code=403))
        return
    await socket.accept()
    await socket.send_text(f"{socket.headers['authorization']} {socket.query_params['name']}")
    try:
        while (text := await socket.receive_text()) != "end":
            if text == "fail":
                raise ValueError("of the application")
            await (socket.send_bytes(text.encode()) if len(text) > 5 else socket.send_text(text))
    except WebSocketDisconnect:
        ENDED.append(socket.query_params["name"])
        return
    await socket.close(1008, "as you say")


async def flood(socket: WebSocket) -> None:
    await socket.accept()
    try:
        for number in range(1000):
            await socket.send_text(str(number))
    except WebSocketDisconnect:
        ENDED.append("flood")


async def deaf(socket: WebSocket) -> None:
    await socket.accept()
    await asyncio.Event().wait()


async def facts(request: Request) -> Response:
    if request.method == "POST":
        raise ValueError("of the application")
    return JSONResponse({"asked": dict(request.query_params)}, status_code=200 if request.query_params else 404)


ENDED: list[str] = []
APP = Starlette(
    routes=[
        WebSocketRoute("/echo", echo),
        WebSocketRoute("/flood", flood),
        WebSocketRoute("/deaf", deaf),
        Route("/facts", facts, methods=["GET", "POST"]),
    ]
)


def conversation(talk: Callable[[Channels, HeardT], Any]) -> HeardT:
    """Let `talk` speak to the application; return what it heard."""

    async def run() -> HeardT:
        heard: HeardT = []
        ENDED.clear()
        channels = Channels(APP, asyncio.get_running_loop(), "secret", lambda *said: heard.append(said))
        await talk(channels, heard)
        channels.close()
        await until(lambda: len(channels) == 0 or any("deaf" in str(said) for said in heard))
        return heard

    return asyncio.run(run())


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not become so")


def opened(name: str, path: str = "echo", **query: str) -> dict[str, Any]:
    return {"do": "open", "channel": name, "path": path, "query": {"name": name} | query}


def texts(heard: HeardT, name: str) -> list[str]:
    return [message["text"] for message, _ in heard if message.get("channel") == name and message["is"] == "text"]


def test_two_connections_are_carried_apart_and_in_order() -> None:
    async def talk(channels: Channels, heard: HeardT) -> None:
        for name in "ab":
            channels.receive(opened(name))
        for text in ("1", "2", "long enough", "3"):
            channels.receive({"do": "send", "channel": "a", "text": text})
        channels.receive({"do": "send", "channel": "b", "text": "end"})
        channels.receive({"do": "send", "channel": "nobody's", "text": "x"})
        await until(lambda: "3" in texts(heard, "a") and len(channels) == 1)
        channels.receive({"do": "close", "channel": "a"})
        await until(lambda: ENDED == ["a"])

    heard = conversation(talk)
    of_a = [(message["is"], message.get("text"), *buffers) for message, buffers in heard if message["channel"] == "a"]
    assert of_a == [
        ("opened", None),
        ("text", "Bearer secret a"),
        ("text", "1"),
        ("text", "2"),
        ("bytes", None, b"long enough"),
        ("text", "3"),
    ]
    (ending,) = [message for message, _ in heard if message["is"] == "closed"]
    assert (ending["channel"], ending["code"], ending["reason"], ending["final"]) == ("b", 1008, "as you say", False)


def test_what_a_page_has_not_taken_is_not_sent() -> None:
    async def talk(channels: Channels, heard: HeardT) -> None:
        channels.receive(opened("a", "flood"))
        await until(lambda: len(texts(heard, "a")) == MOST_UNTAKEN)
        await asyncio.sleep(0.02)
        assert len(texts(heard, "a")) == MOST_UNTAKEN
        channels.receive({"do": "took", "channel": "a", "count": 10})
        await until(lambda: len(texts(heard, "a")) == MOST_UNTAKEN + 10)
        await asyncio.sleep(0.02)
        assert len(texts(heard, "a")) == MOST_UNTAKEN + 10
        channels.receive({"do": "close", "channel": "a"})
        await until(lambda: ENDED == ["flood"])

    heard = conversation(talk)
    assert texts(heard, "a") == [str(number) for number in range(MOST_UNTAKEN + 10)]


def test_a_page_that_sends_without_end_is_cut_off() -> None:
    async def talk(channels: Channels, heard: HeardT) -> None:
        channels.receive(opened("deaf", "deaf"))
        for _ in range(MOST_UNREAD + 1):
            channels.receive({"do": "send", "channel": "deaf", "text": "x"})
        await until(lambda: any(message["is"] == "closed" for message, _ in heard))

    (ending,) = [message for message, _ in conversation(talk) if message["is"] == "closed"]
    assert ending["reason"] == "the page sends more than is read"


def test_a_refusal_and_a_failure_end_one_connection_with_a_line(caplog: pytest.LogCaptureFixture) -> None:
    async def talk(channels: Channels, heard: HeardT) -> None:
        channels.receive(opened("refused", refused="1"))
        channels.receive(opened("fails"))
        channels.receive(opened("lives"))
        channels.receive({"do": "send", "channel": "fails", "text": "fail"})
        await until(lambda: len([message for message, _ in heard if message["is"] == "closed"]) == 2)
        channels.receive({"do": "send", "channel": "lives", "text": "on"})
        await until(lambda: "on" in texts(heard, "lives"))

    endings = {message["channel"]: message for message, _ in conversation(talk) if message["is"] == "closed"}
    assert (endings["refused"]["reason"], endings["refused"]["final"]) == ("not you", True)
    assert (endings["fails"]["reason"], endings["fails"]["final"]) == ("the connection failed", False)
    assert "a connection of a page failed" in caplog.text


def test_requests_are_answered_by_name() -> None:
    async def talk(channels: Channels, heard: HeardT) -> None:
        for name, method, query in (("1", "GET", {"path": "a b&c"}), ("2", "GET", {}), ("3", "POST", {})):
            channels.receive({"do": "ask", "request": name, "method": method, "path": "facts", "query": query})
        await until(lambda: len(heard) == 3)

    answers = {message["request"]: (message["status"], buffers[0]) for message, buffers in conversation(talk)}
    assert (answers["1"][0], json.loads(answers["1"][1])) == (200, {"asked": {"path": "a b&c"}})
    assert answers["2"][0] == 404
    assert answers["3"][0] == 500


@pytest.mark.parametrize(
    "message",
    [None, "open", {}, {"do": "open"}, {"do": "open", "channel": "x", "path": "echo", "query": 3}, {"do": "ask"}, []],
)
def test_what_is_no_message_is_logged_and_all_goes_on(message: object, caplog: pytest.LogCaptureFixture) -> None:
    async def talk(channels: Channels, heard: HeardT) -> None:
        channels.receive(message)
        channels.receive(opened("a"))
        await until(lambda: texts(heard, "a") != [])

    with caplog.at_level(logging.WARNING):
        conversation(talk)
    assert "a page sent what is no message" in caplog.text


def test_there_are_so_many_connections_at_most() -> None:
    async def talk(channels: Channels, heard: HeardT) -> None:
        for number in range(MOST_CHANNELS + 1):
            channels.receive(opened(str(number)))
        await until(lambda: len(heard) >= 2 * MOST_CHANNELS + 1)

    (ending,) = [message for message, _ in conversation(talk) if message["is"] == "closed"]
    assert ending["channel"] == str(MOST_CHANNELS)
