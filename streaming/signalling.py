"""Offers and answers: of the page, of WHIP (RFC 9725) to bring sound, of WHEP to watch."""

from __future__ import annotations

import re

from aiohttp import web
from aiortc import RTCIceServer
from multidict import CIMultiDict

from streaming.caller import Caller
from streaming.callers import Callers, FullError
from streaming.cross_origin import preflight
from streaming.peer import NoWayError, Peer
from streaming.refusal import MOST_JSON, Refusal, read_body, read_json

CALLERS = web.AppKey("callers", Callers)
SDP, FRAGMENT = "application/sdp", "application/trickle-ice-sdpfrag"


def add_routes(router: web.UrlDispatcher) -> None:
    """Add the signalling of docs/wire.md."""
    router.add_post("/offer", offer)
    router.add_post("/api/v1/sessions/{session}/offer", offer_again)
    for path, answer in (("/whip", whip), ("/whep", whep), ("/whep/{session}", whep)):
        router.add_post(path, answer)
        _close(router, path, "POST")
    for path in ("/whip/{session}", "/whep/{session}/{viewer}"):
        router.add_patch(path, trickle)
        router.add_delete(path, leave)
        _close(router, path, "PATCH", "DELETE")


async def offer(request: web.Request) -> web.Response:
    """A caller who gets the face back on the same connection."""
    caller, answer = await _enter(request, await _read_offer(request), is_published=False)
    return web.json_response({"sdp": answer, "type": "answer", "session": caller.session.name})


async def offer_again(request: web.Request) -> web.Response:
    """A caller starts or stops to send a camera."""
    sdp = await _read_offer(request)
    caller = request.app[CALLERS].get(request.match_info["session"])
    if caller is None:
        raise Refusal(404, "no such session")
    try:
        answer = await caller.peer.answer_again(sdp)
    except ValueError as error:
        raise Refusal(400, str(error)) from None
    return web.json_response({"sdp": answer, "type": "answer"})


async def whip(request: web.Request) -> web.Response:
    """A caller who only brings sound; the face is published on `/whep/<id>`."""
    caller, answer = await _enter(request, await _read_sdp(request), is_published=True)
    return _created(request, f"/whip/{caller.session.name}", answer)


async def whep(request: web.Request) -> web.Response:
    """A viewer of one session, or of the newest WHIP session."""
    callers, name = request.app[CALLERS], request.match_info.get("session")
    sdp = await _read_sdp(request)
    caller = callers.newest_published() if name is None else callers.get(name)
    if caller is None:
        raise Refusal(404, "there is no session to watch" if name is None else "no such session")
    try:
        viewer, answer = await callers.watch(caller, sdp)
    except ValueError as error:
        raise Refusal(400, str(error)) from None
    except FullError as error:
        raise Refusal(503, str(error)) from None
    except NoWayError as error:
        raise Refusal(502, str(error)) from None
    return _created(request, f"/whep/{caller.session.name}/{viewer}", answer)


async def trickle(request: web.Request) -> web.Response:
    """Candidates that a WHIP or WHEP peer has found since its offer."""
    _, peer = _find(request)
    if request.content_type != FRAGMENT:
        raise Refusal(415, f"the body must be {FRAGMENT}, got {request.content_type}")
    _check_match(request, peer)
    body = await read_body(request, MOST_JSON)
    try:
        await peer.trickle(body.decode())
    except ValueError as error:
        raise Refusal(400, str(error)) from None
    return web.Response(status=204)


async def leave(request: web.Request) -> web.Response:
    """The peer is going."""
    caller, peer = _find(request)
    if peer is caller.peer:
        await caller.leave()
    else:
        peer.left.set()
    return web.json_response({"status": "left"})


async def _enter(request: web.Request, sdp: str, is_published: bool) -> tuple[Caller, str]:
    callers = request.app[CALLERS]
    try:
        return await callers.enter(sdp, is_published)
    except ValueError as error:
        raise Refusal(400, str(error)) from None
    except NoWayError as error:
        raise Refusal(502, str(error)) from None
    except FullError as error:
        raise Refusal(
            503, str(error), active_sessions=callers.active, max_sessions=callers.most
        ) from None


def _find(request: web.Request) -> tuple[Caller, Peer]:
    """The caller and the peer of a location.

    Raises:
        Refusal: 404, it is gone.
    """
    caller = request.app[CALLERS].get(request.match_info["session"])
    viewer = request.match_info.get("viewer")
    peer = None if caller is None else caller.viewers.get(viewer) if viewer else caller.peer
    if caller is None or peer is None or not (caller.is_published or viewer):
        raise Refusal(404, "no such session")
    return caller, peer


async def _read_offer(request: web.Request) -> str:
    body = await read_json(request)
    if body.get("type") != "offer" or not isinstance(body.get("sdp"), str):
        raise Refusal(400, 'the body must be {"sdp": "...", "type": "offer"}')
    return str(body["sdp"])


async def _read_sdp(request: web.Request) -> str:
    if request.content_type != SDP:
        raise Refusal(415, f"the body must be {SDP}, got {request.content_type}")
    return (await read_body(request, MOST_JSON)).decode(errors="replace")


def _created(request: web.Request, location: str, answer: str) -> web.Response:
    """The 201 of sections 4.2, 4.3.1 and 4.6 of RFC 9725."""
    headers = CIMultiDict({"Location": location, "ETag": _tag_of(answer)})
    for server in request.app[CALLERS].ice.servers:
        headers.add("Link", _link_to(server))
    return web.Response(status=201, text=answer, content_type=SDP, headers=headers)


def _tag_of(sdp: str) -> str:
    """The entity-tag of an ICE session."""
    found = re.search(r"(?m)^a=ice-ufrag:([\w+/]+)", sdp)
    assert found is not None, "aiortc's descriptions name their ICE user"
    return f'"{found[1]}"'


def _check_match(request: web.Request, peer: Peer) -> None:
    """Refuse candidates for any but the one ICE session that there is.

    Raises:
        Refusal: 428 without If-Match, 412 when it names another one, 422 when it wants a new one.
    """
    wanted, tag = request.headers.get("If-Match"), _tag_of(peer.connection.localDescription.sdp)
    if wanted is None:
        raise Refusal(428, "If-Match with the ETag of the session is needed")
    if wanted.strip() == "*":
        raise Refusal(422, "ICE restarts are not supported: make a new session")
    if tag not in (part.strip() for part in wanted.split(",")):
        raise Refusal(412, f"this ICE session is {tag}, not {wanted}")


def _link_to(server: RTCIceServer) -> str:
    link = f'<{server.urls}>; rel="ice-server"'
    if server.username:
        user, password = _quoted(server.username), _quoted(server.credential)
        link += f'; username={user}; credential={password}; credential-type="password"'
    return link


def _quoted(text: str | None) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text or "") + '"'


def _close(router: web.UrlDispatcher, path: str, *methods: str) -> None:
    """Answer OPTIONS on a path that takes `methods`, and 405 to everything else."""

    async def refuse(request: web.Request) -> web.Response:
        raise web.HTTPMethodNotAllowed(request.method, [*methods, "OPTIONS"])

    router.add_options(path, preflight)
    router.add_route("*", path, refuse)
