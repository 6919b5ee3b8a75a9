"""The HTTP side of a WHIP publisher (RFC 9725): make a session, take it down, read refusals."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import NamedTuple

import aiohttp
from aiortc import RTCIceServer
from yarl import URL

from streaming.rooms.participant import RoomError
from streaming.rooms.staying import LostError

SDP = "application/sdp"
REQUEST_S = 10.0
GOODBYE_S = 2.0
MOST_REDIRECTS = 5
MOST_REASON = 4096
"""Bytes of a refusal that are read."""
PASSING = (404, 409, 425, 429)
"""Refusals that another try may not meet: a stream that restarts, one that has not ended yet."""

log = logging.getLogger(__name__)


class WhipResource(NamedTuple):
    """A WHIP session.

    url: where it is patched and deleted. answer: SDP. etag: of its ICE session. ice_servers: what
    the endpoint offers for it.
    """

    url: URL
    answer: str
    etag: str | None
    ice_servers: list[RTCIceServer]


class WhipClient:
    """One endpoint."""

    def __init__(self, url: str, token: str | None) -> None:
        """Ask nothing yet; make it on the event loop."""
        self.url = URL(url)
        self._token = token
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REQUEST_S))

    async def create(self, offer: str) -> WhipResource:
        """Post an offer, wherever the endpoint redirects it to (section 4.5 of the RFC).

        Raises:
            LostError: the endpoint cannot be reached, or not now.
            RoomError: it refuses for good, or does not speak WHIP.
        """
        url = self.url
        for _ in range(MOST_REDIRECTS + 1):
            try:
                async with self._request("POST", url, offer) as response:
                    if response.status not in (307, 308):
                        return await self._read_created(response)
                    url = self._redirected(response)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                reason = str(error) or type(error).__name__
                raise LostError(f"{url}: cannot be reached ({reason})") from None
        raise RoomError(f"{self.url}: more than {MOST_REDIRECTS} redirects")

    async def delete(self, resource: WhipResource) -> None:
        """Take the session down; an endpoint that is gone is no error."""
        try:
            async with asyncio.timeout(GOODBYE_S):
                async with self._request("DELETE", resource.url) as response:
                    log.debug("%s: DELETE gave %d", resource.url, response.status)
        except (aiohttp.ClientError, TimeoutError, OSError):
            log.debug("%s: DELETE failed", resource.url, exc_info=True)

    async def aclose(self) -> None:
        """Close the HTTP connections."""
        await self._http.close()

    def _request(
        self, method: str, url: URL, offer: str | None = None
    ) -> aiohttp.client._RequestContextManager:
        """A request that does not follow redirects by itself: a POST must stay a POST."""
        headers = {"Content-Type": SDP, "Accept": SDP} if offer is not None else {}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        return self._http.request(method, url, data=offer, headers=headers, allow_redirects=False)

    async def _read_created(self, response: aiohttp.ClientResponse) -> WhipResource:
        if response.status != 201:
            await self._refuse(response)
        location = response.headers.get("Location")
        if location is None or response.content_type != SDP:
            raise RoomError(f"{self.url}: this is no WHIP endpoint (no Location or no SDP)")
        return WhipResource(
            response.url.join(URL(location)),
            await response.text(),
            response.headers.get("ETag"),
            ice_servers_of(response),
        )

    async def _refuse(self, response: aiohttp.ClientResponse) -> None:
        """Raise what a status other than 201 means, with the endpoint's own words."""
        status = response.status
        said = _reason(await response.content.read(MOST_REASON)) or response.reason or ""
        reason = f"{self.url}: refused with {status} ({said})"
        if status in (401, 403):
            raise RoomError(f"{reason}; is the token right?")
        if status < 500 and status not in PASSING:
            raise RoomError(reason)
        after = response.headers.get("Retry-After", "")
        raise LostError(reason, float(after) if after.isdecimal() else 0.0)

    def _redirected(self, response: aiohttp.ClientResponse) -> URL:
        """Where a redirect leads; never from https to http, for the token goes along.

        Raises:
            RoomError: nowhere, or there.
        """
        location = response.headers.get("Location")
        if location is None:
            raise RoomError(f"{self.url}: a redirect without Location")
        url = response.url.join(URL(location))
        if url.scheme not in ("http", "https") or (
            response.url.scheme == "https" and url.scheme != "https"
        ):
            raise RoomError(f"{self.url}: a redirect to {url} is not followed")
        return url


def ice_servers_of(response: aiohttp.ClientResponse) -> list[RTCIceServer]:
    """The `Link: <turn:...>; rel="ice-server"` headers of a response (section 4.6 of the RFC)."""
    return [
        RTCIceServer(str(link["url"]), _text(link.get("username")), _text(link.get("credential")))
        for link in response.links.getall("ice-server", [])
    ]


def _text(value: str | URL | None) -> str | None:
    return None if value is None else str(value)


def _reason(body: bytes) -> str:
    """What a refusal says, on one line: the `error`, `detail` or `title` of JSON, or its text."""
    text = body.decode(errors="replace")
    try:
        value = json.loads(text)
    except ValueError:
        value = {"error": "" if text.lstrip().startswith("<") else text}
    if not isinstance(value, dict):
        return ""
    said = value.get("error") or value.get("detail") or value.get("title") or ""
    return " ".join(str(said).split())[:200]
