"""Who may ask: everyone with the token; without one, this machine and our own page."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from streaming.refusal import Refusal


def authorised(token: str | None, is_open: Callable[[web.Request], bool]) -> Middleware:
    """A middleware that lets in who has the token or, without one, who comes from our page.

    Args:
        token: what `Authorization: Bearer` or `?token=` must carry; None on loopback.
        is_open: the requests that anybody may make; with a token, anybody may ask for OPTIONS too:
            browsers do before they send it.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_open(request):
            if token is None:
                _refuse_other_sites(request)
            elif request.method != "OPTIONS" and not _has_token(request, token):
                raise Refusal(401, "a token is needed: Authorization: Bearer <token>")
        return await handler(request)

    return check


def _has_token(request: web.Request, token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    given = given.strip() if scheme.lower() == "bearer" else request.query.get("token", "")
    return hmac.compare_digest(given.encode(), token.encode())


def _refuse_other_sites(request: web.Request) -> None:
    """A web page from elsewhere must not command a server on the visitor's own machine.

    Raises:
        Refusal: 403.
    """
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise Refusal(403, f"requests from {origin} need a token on this server")
    if urlsplit(f"//{request.host}").hostname not in ("127.0.0.1", "localhost", "::1"):
        raise Refusal(403, f"unexpected host {request.host!r}")
