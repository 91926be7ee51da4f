"""Stock Firefox for Playwright, over WebDriver BiDi: `firefox_relay.py ARGUMENT...` is launched in the browser's place.

Playwright drives a Firefox that is not its own by BiDi, and needs a command newer than Debian's: media features are
emulated with it when a context is made. It is answered here, and everything else is passed on as it is. So the emulated
features are the browser's own: Firefox's tests choose a theme by the page's button.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

FIREFOX = "/usr/bin/firefox-esr"
ANSWERED = "emulation.setMediaFeaturesOverride"
LARGEST = 1 << 28
"""A picture of a canvas comes as one text."""
_LISTENS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


async def relay(client: ServerConnection, browser: str) -> None:
    """Pass messages on between a client and the browser until either ends."""
    assert client.request is not None
    async with connect(browser + client.request.path, max_size=LARGEST, compression=None, ping_interval=None) as far:

        async def out() -> None:
            async for text in client:
                message = json.loads(text)
                if message["method"] == ANSWERED:
                    await client.send(json.dumps({"type": "success", "id": message["id"], "result": {}}))
                else:
                    await far.send(text)

        async def back() -> None:
            async for text in far:
                await client.send(text)

        tasks = [asyncio.create_task(out()), asyncio.create_task(back())]
        _, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, ConnectionClosed):
                raise result


async def lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Return what the browser says, and say it too."""
    while line := await stream.readline():
        yield line.decode(errors="replace").rstrip()


async def main(arguments: list[str]) -> int:
    """Run the browser; return its exit status."""
    process = await asyncio.create_subprocess_exec(FIREFOX, *arguments, stderr=asyncio.subprocess.PIPE)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, process.terminate)
    assert process.stderr is not None
    async for line in lines(process.stderr):
        listens = _LISTENS.search(line)
        if listens is None:
            print(line, file=sys.stderr, flush=True)
            continue

        async def handle(client: ServerConnection, browser: str = listens[1]) -> None:
            await relay(client, browser)

        server = await serve(handle, "127.0.0.1", 0, max_size=LARGEST, compression=None, ping_interval=None)
        port = next(iter(server.sockets)).getsockname()[1]
        print(f"WebDriver BiDi listening on ws://127.0.0.1:{port}", file=sys.stderr, flush=True)
    return await process.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
