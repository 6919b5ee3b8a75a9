"""Web pages of other sites: they may publish to and watch a server that asks them for a token.

Without a token such pages are refused (`streaming/access.py`), whatever headers they ask for.
"""

from __future__ import annotations

from aiohttp import web

METHODS = "POST, PATCH, DELETE"
ASKED = "Authorization, Content-Type, If-Match"
TOLD = "Location, ETag, Link"
"""The headers of RFC 9725 that a page may send, and those that it may read."""


async def preflight(request: web.Request) -> web.Response:
    """What a browser asks before a request of a foreign page (section 4.2 of RFC 9725)."""
    headers = {
        "Accept-Post": "application/sdp",
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": ASKED,
    }
    return web.Response(headers=headers)


async def let_pages_read(request: web.Request, response: web.StreamResponse) -> None:
    """Let the page that asked read the answer; for `on_response_prepare` of a server with a token.

    The wildcard lets no browser send cookies or passwords that it has kept: the page must know the
    token.
    """
    if "Origin" in request.headers:
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Expose-Headers"] = TOLD
