"""Errors as `{"error": "<one line>"}`, who may ask, and how much may be sent."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

MOST_JSON = 256 * 1024
"""Bytes of a JSON or SDP body."""
MOST_PORTRAIT = 20 * 1024 * 1024

log = logging.getLogger(__name__)

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refusal(Exception):
    """An answer of 4xx or 5xx with a reason for the user."""

    def __init__(self, status: int, reason: str, **more: Any) -> None:
        """Refuse with `status`; `more` are further members of the JSON body."""
        super().__init__(reason)
        self.status, self.body = status, {"error": " ".join(reason.split()), **more}


async def read_body(request: web.Request, most: int) -> bytes:
    """The body of a request.

    Raises:
        Refusal: 413, it is longer than `most` bytes.
    """
    body = bytearray()
    async for chunk in request.content.iter_chunked(65536):
        body += chunk
        if len(body) > most:
            raise Refusal(413, f"the body is longer than {most} bytes")
    return bytes(body)


async def read_json(request: web.Request) -> dict[str, Any]:
    """The JSON object of a request.

    Raises:
        Refusal: 413 over 256 KiB, 400 when it is not a JSON object.
    """
    body = await read_body(request, MOST_JSON)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400, "the body is not JSON") from None
    if not isinstance(value, dict):
        raise Refusal(400, f"the body is not a JSON object but {type(value).__name__}")
    return value


@web.middleware
async def errors_as_json(request: web.Request, handler: Answer) -> web.StreamResponse:
    """Turn every way to fail into a JSON error of one line."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return web.json_response(refusal.body, status=refusal.status)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return web.json_response({"error": error.reason}, status=error.status, headers=headers)
    except ConnectionError:
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return web.json_response({"error": "internal error, see the server's log"}, status=500)


def authorised(token: str | None, is_open: Callable[[web.Request], bool]) -> Any:
    """A middleware that lets in who has the token or, without one, who comes from our page.

    Args:
        token: what `Authorization: Bearer` or `?token=` must carry; None on loopback.
        is_open: the requests that anybody may make.
    """

    @web.middleware
    async def check(request: web.Request, handler: Answer) -> web.StreamResponse:
        if not is_open(request):
            if token is None:
                _refuse_other_sites(request)
            elif not hmac.compare_digest(_given_token(request).encode(), token.encode()):
                raise Refusal(401, "a token is needed: Authorization: Bearer <token>")
        return await handler(request)

    return check


def _given_token(request: web.Request) -> str:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else request.query.get("token", "")


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
