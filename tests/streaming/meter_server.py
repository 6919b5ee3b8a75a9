"""`python -m tests.streaming.meter_server --port 8090`: the real server with a painted meter."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from streaming.server import ServerOptions, serve
from tests.streaming.meter import MeterEngine


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--max-sessions", type=int, default=4)
    return parser


async def run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    page = Path(__file__).parents[2] / "clients" / "browser"
    server = ServerOptions(port=options.port, max_sessions=options.max_sessions, page=page)
    say = lambda url: print(f"Serving on {url}", flush=True)  # noqa: E731
    await serve(MeterEngine(options.size), server, stop, say)


if __name__ == "__main__":
    asyncio.run(run(get_parser().parse_args()))
