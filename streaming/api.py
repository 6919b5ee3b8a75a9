"""The REST side: what is there, and control over one session."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from streaming import control
from streaming.caller import Caller
from streaming.callers import FullError
from streaming.refusal import MOST_PORTRAIT, Refusal, read_body, read_json
from streaming.signalling import CALLERS


def add_routes(router: web.UrlDispatcher) -> None:
    """Add `/api/v1`, health and metrics of docs/wire.md."""
    session = "/api/v1/sessions/{session}"
    router.add_get("/api/v1/avatar", avatar)
    router.add_get("/api/v1/ice", ice)
    router.add_get(session, show)
    router.add_delete(session, leave)
    router.add_post(f"{session}/control", command)
    router.add_put(f"{session}/portrait", portrait)
    router.add_get("/healthz", healthz)
    router.add_get("/readyz", readyz)
    router.add_get("/metrics", metrics)


async def avatar(request: web.Request) -> web.Response:
    """What the engine can do."""
    callers = request.app[CALLERS]
    return web.json_response(
        {
            **callers.engine.describe(),
            "lookahead_ms": callers.engine.lookahead_ms,
            "sessions": {"active": callers.active, "max": callers.most},
        }
    )


async def ice(request: web.Request) -> web.Response:
    """What a browser's `RTCPeerConnection` needs to reach this server from another network."""
    return web.json_response(request.app[CALLERS].ice.as_json())


async def show(request: web.Request) -> web.Response:
    """Settings and counters of one session."""
    caller = _find(request)
    session = caller.session
    state: dict[str, Any] = {"session": session.name, "viewers": len(caller.viewers)}
    return web.json_response({**state, "settings": session.settings, "stats": session.stats()})


async def command(request: web.Request) -> web.Response:
    """One control message; the new settings, or the ping itself."""
    caller = _find(request)
    reply = await control.answer(caller.session, await read_json(request))
    if reply.get("ok") is False:
        raise Refusal(400, reply["error"])
    return web.json_response(reply.get("settings", reply))


async def portrait(request: web.Request) -> web.Response:
    """Another portrait; the old one stays until the new one is ready."""
    caller = _find(request)
    data = await read_body(request, MOST_PORTRAIT)
    try:
        encoded = await request.app[CALLERS].encode_portrait(data)
        await caller.session.set_portrait(encoded)
    except ValueError as error:
        raise Refusal(400, str(error)) from None
    except FullError as error:
        raise Refusal(503, str(error)) from None
    return web.json_response({"status": "ok"})


async def leave(request: web.Request) -> web.Response:
    """End a session."""
    await _find(request).leave()
    return web.json_response({"status": "left"})


async def healthz(_: web.Request) -> web.Response:
    """The process is alive."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """Whether another caller may come."""
    callers = request.app[CALLERS]
    is_full = callers.active >= callers.most
    body = {
        "status": "at_capacity" if is_full else "ready",
        "active_sessions": callers.active,
        "max_sessions": callers.most,
    }
    return web.json_response(body, status=503 if is_full else 200)


async def metrics(request: web.Request) -> web.Response:
    """Everything counted, for Prometheus."""
    text = request.app[CALLERS].metrics.text().decode()
    return web.Response(text=text, content_type="text/plain", charset="utf-8")


def _find(request: web.Request) -> Caller:
    caller = request.app[CALLERS].get(request.match_info["session"])
    if caller is None:
        raise Refusal(404, "no such session")
    return caller
