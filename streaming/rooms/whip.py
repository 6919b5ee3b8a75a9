"""Publish to any WHIP endpoint (RFC 9725): the face becomes a stream of a media server."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from streaming.ice import IceSettings
from streaming.peer import Peer
from streaming.playout import Outlet, Publication
from streaming.rooms.participant import RoomError, offer_of
from streaming.rooms.staying import LostError, stay
from streaming.rooms.whip_client import WhipClient, WhipResource

CONNECT_S = 10.0

log = logging.getLogger(__name__)


class WhipRoom:
    """One stream of a WHIP endpoint; a `Room`."""

    def __init__(self, url: str, token: str | None, ice: IceSettings) -> None:
        """Nothing is asked of the endpoint yet; make it on the event loop.

        Args:
            url: of the endpoint, http or https.
            token: for `Authorization: Bearer`.
            ice: to begin with; the servers that the endpoint names are used when it is not
                reached without them.
        """
        self.connected, self.left = asyncio.Event(), asyncio.Event()
        self.outlets: list[Publication] = []
        self._client = WhipClient(url, token)
        self._ice = ice

    async def watch(self) -> None:
        """Publish until `left` is set.

        Raises:
            RoomError: the endpoint cannot be reached or refuses.
        """
        await stay(self, self._connect)

    async def aclose(self) -> None:
        """Let go of the endpoint; `watch` has taken the stream down."""
        self.left.set()
        await self._client.aclose()

    async def _connect(self) -> None:
        """One stream from the offer to its loss."""
        outlet = Outlet()
        peer = Peer(self._ice, outlet)
        try:
            resource = await self._client.create(await offer_of(peer))
            try:
                if await self._reach(peer, resource):
                    await self._publish(peer, outlet)
            finally:
                await self._client.delete(resource)
        finally:
            await peer.aclose()

    async def _reach(self, peer: Peer, resource: WhipResource) -> bool:
        """Whether media can flow; False asks for a try with what has been learned.

        Raises:
            LostError: there is no way.
            RoomError: the endpoint's answer cannot be used.
        """
        # aiortc gathers before the offer, so the endpoint's servers serve the next one
        known = {str(server.urls): server for server in self._ice.servers}
        named = {str(server.urls): server for server in resource.ice_servers}
        self._ice = replace(self._ice, servers=(*(known | named).values(),))
        try:
            await peer.accept(resource.answer)
            async with asyncio.timeout(CONNECT_S):
                await peer.connected.wait()
        except ValueError as error:
            raise RoomError(f"{self._client.url}: {error}") from None
        except TimeoutError:
            if not named.keys() <= known.keys():
                return False
            reason = f"{self._client.url}: no media connection within {CONNECT_S:.0f} s"
            raise LostError(reason) from None
        return True

    async def _publish(self, peer: Peer, outlet: Outlet) -> None:
        """Send until the connection is lost; raises LostError then."""
        self.outlets.append(outlet)
        self.connected.set()
        log.info("Publishing to %s", self._client.url)
        try:
            await peer.watch()
        finally:
            self.outlets.remove(outlet)
        raise LostError(f"{self._client.url}: the connection was lost")
