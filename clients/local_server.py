"""`avatar.serve` in a child process, for clients that are to need one command only."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence

SERVER = "avatar.serve"
END_S = 10.0
ANNOUNCEMENT = "Serving on "


@contextlib.asynccontextmanager
async def local_server(options: Sequence[str]) -> AsyncIterator[str]:
    """Run the server on a free port while the context lives; gives its address.

    The child is asked to end (SIGTERM) and, after 10 s, made to. Its messages go to our stderr.

    Args:
        options: of `python -m avatar.serve`, without host and port.

    Raises:
        ValueError: it ended before it served; it has said why.
    """
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", SERVER, "--port", "0", "--max-sessions", "1", *options),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is ours: the server is ended after the call
    )
    try:
        yield await _address(server)
    finally:
        await _end(server)


async def _address(server: asyncio.subprocess.Process) -> str:
    assert server.stdout is not None
    line = (await server.stdout.readline()).decode()
    if not line.startswith(ANNOUNCEMENT):
        raise ValueError("the local server did not start")
    return line.removeprefix(ANNOUNCEMENT).strip()


async def _end(server: asyncio.subprocess.Process) -> None:
    if server.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            server.terminate()
    try:
        async with asyncio.timeout(END_S):
            await server.wait()
    except TimeoutError:
        server.kill()
        await server.wait()
