"""A relay between a client and a server that damages packets on request: what a bad network box would do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType

from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from napari_cuda.server_process import ServerProcess


class Relay:
    """Passes WebSockets on to `server`; `damage(packet)` is applied to the next pixel packets it is armed for."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="test-relay")
        self._listening: Server | None = None
        self._damage: Callable[[bytes], bytes] | None = None
        self.damaged = threading.Event()

    def arm(self, damage: Callable[[bytes], bytes]) -> None:
        """Damage the next pixel packet."""
        self.damaged.clear()
        self._damage = damage

    @property
    def connect_url(self) -> str:
        assert self._listening is not None
        port = self._listening.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}/?token={self._server.token}"

    async def _open(self) -> None:
        self._listening = await serve(self._relay, "127.0.0.1", 0, max_size=None, compression=None)

    async def _relay(self, client: ServerConnection) -> None:
        assert client.request is not None
        token = {"Authorization": f"Bearer {self._server.token}"}
        url = f"ws://127.0.0.1:{self._server.port}{client.request.path}"
        async with connect(url, additional_headers=token, max_size=None, compression=None, proxy=None) as server:

            async def upwards() -> None:
                async for message in client:
                    await server.send(message)

            async def downwards() -> None:
                async for message in server:
                    await client.send(self._damaged(message))

            tasks = {asyncio.create_task(upwards()), asyncio.create_task(downwards())}
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(
                error is None or isinstance(error, (asyncio.CancelledError, ConnectionClosed)) for error in results
            )

    def _damaged(self, message: str | bytes) -> str | bytes:
        if self._damage is None or isinstance(message, str):
            return message
        damage, self._damage = self._damage, None
        self.damaged.set()
        return damage(message)

    async def _close(self) -> None:
        if self._listening is not None:
            self._listening.close()
            await self._listening.wait_closed()

    def __enter__(self) -> Relay:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
