"""Refusing a request: errors as `{"error": "<one line>"}`, and how much may be sent."""

from __future__ import annotations

import json
import logging
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

MOST_JSON = 256 * 1024
"""Bytes of a JSON or SDP body."""
MOST_PORTRAIT = 20 * 1024 * 1024

log = logging.getLogger(__name__)


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
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
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
