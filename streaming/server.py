"""The HTTP server around one engine; `avatar/serve.py` starts it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from streaming import api, signalling
from streaming.access import authorised
from streaming.bit_rates import BitRates
from streaming.callers import Callers
from streaming.cross_origin import let_pages_read
from streaming.face import FaceEngine
from streaming.ice import IceSettings, bound_gathering, gather_on
from streaming.ingest import warm_up
from streaming.peer import set_vp8_bitrate
from streaming.refusal import errors_as_json


@dataclass(frozen=True)
class ServerOptions:
    """How the server is reached and how many it serves."""

    host: str = "127.0.0.1"
    port: int = 8080
    max_sessions: int = 4
    token: str | None = None
    """Needed from everyone when set; must be set when `host` is not loopback."""
    ssl: ssl.SSLContext | None = None
    ice: IceSettings = field(default_factory=IceSettings)
    bit_rates: BitRates | None = None
    """Of the picture; None for what its size needs."""
    page: Path | None = None
    """Folder of the page's files."""
    seed: int | None = None


def build_app(engine: FaceEngine, options: ServerOptions) -> web.Application:
    """The application that serves `engine`, without a socket."""
    page = _page_files(options.page)

    def is_open(request: web.Request) -> bool:
        name = request.path.removeprefix("/") or "index.html"
        return request.path in ("/healthz", "/readyz") or name in page

    app = web.Application(middlewares=[errors_as_json, authorised(options.token, is_open)])
    callers = Callers(engine, options.max_sessions, options.ice, options.seed)
    app[signalling.CALLERS] = callers
    signalling.add_routes(app.router)
    api.add_routes(app.router)
    app.router.add_get("/{name:.*}", _serve(page))
    if options.token is not None:
        app.on_response_prepare.append(let_pages_read)
    app.on_shutdown.append(lambda _: callers.aclose())
    return app


async def serve(
    engine: FaceEngine, options: ServerOptions, stop: asyncio.Event, ready: Callable[[str], None]
) -> None:
    """Serve until `stop` is set, then end every session.

    Args:
        engine: loaded and warm.
        options: where and for whom.
        stop: set to end.
        ready: called with the address once callers may come.

    Raises:
        OSError: the address cannot be bound.
    """
    warm_up(engine.lookahead_ms)
    gather_on(options.host)
    bound_gathering(options.ice)
    rates = options.bit_rates or BitRates.of_picture(engine.size)
    set_vp8_bitrate(rates.start, rates.lowest, rates.highest)
    runner = web.AppRunner(build_app(engine, options), access_log=None, shutdown_timeout=2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, options.host, options.port, ssl_context=options.ssl)
        await site.start()
        host, port = runner.addresses[0][:2]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        ready(f"{'https' if options.ssl else 'http'}://{address}")
        await stop.wait()
    finally:
        await runner.cleanup()


def _page_files(folder: Path | None) -> dict[str, Path]:
    """The files of the page by their path below it."""
    if folder is None:
        return {}
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in files}


def _serve(page: dict[str, Path]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def file(request: web.Request) -> web.StreamResponse:
        path = page.get(request.match_info["name"] or "index.html")
        if path is None:
            raise web.HTTPNotFound
        return web.FileResponse(path, headers={"Cache-Control": "no-cache"})

    return file
