"""A server with the painted meter in this process, and callers of it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from streaming.ice import gather_on
from streaming.server import ServerOptions, serve
from tests.streaming.caller import TestCaller
from tests.streaming.meter import MeterEngine

StartServer = Callable[..., Awaitable[str]]


@pytest.fixture
async def start_server() -> AsyncIterator[StartServer]:
    """Start a server of an engine on a free port; gives its URL."""
    stop, servers = asyncio.Event(), []

    async def start(engine: MeterEngine | None = None, **options) -> str:
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        job = serve(
            engine or MeterEngine(256), ServerOptions(port=0, **options), stop, ready.set_result
        )
        servers.append(asyncio.create_task(job))
        return await ready

    yield start
    stop.set()
    await asyncio.gather(*servers)


@pytest.fixture
async def callers() -> AsyncIterator[Callable[[str], TestCaller]]:
    """Make callers that hang up when the test is over."""
    gather_on("127.0.0.1")
    made: list[TestCaller] = []

    def make(url: str) -> TestCaller:
        made.append(TestCaller(url))
        return made[-1]

    yield make
    await asyncio.gather(*(caller.aclose() for caller in made))


async def until(condition: Callable[[], bool | Awaitable[bool]], most_s: float = 10.0) -> None:
    """Wait for a condition; the test fails when it does not come."""
    async with asyncio.timeout(most_s):
        while True:
            holds = condition()
            if await holds if inspect.isawaitable(holds) else holds:
                return
            await asyncio.sleep(0.02)
