"""The two WebRTC connections of one participant: what it publishes, and what it gets.

LiveKit's older signalling: the client offers the first one, the server the second one. Candidates
of the client are left out of descriptions, so that nothing leaves loopback: its own checks find us.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
)

from tests.livekit_sfu.forwarding import Published

RELIABLE, LOSSY = "_reliable", "_lossy"
ANSWER_S = 10


def _connection() -> RTCPeerConnection:
    return RTCPeerConnection(
        RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    )


def _description(sdp: str, kind: str) -> RTCSessionDescription:
    return RTCSessionDescription(re.sub(r"(?m)^a=candidate:.*\r?\n?", "", sdp), kind)


class PublisherLink:
    """What the client sends: tracks and data."""

    def __init__(
        self,
        on_track: Callable[[Published], None],
        on_data: Callable[[str, bytes], None],
    ) -> None:
        self.connection = _connection()
        self.published: list[Published] = []
        self._on_track, self._on_data = on_track, on_data
        self.connection.on("datachannel", self._open_channel)
        self.connection.on("track", self._open_track)

    async def answer(self, sdp: str) -> str:
        await self.connection.setRemoteDescription(_description(sdp, "offer"))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        return self.connection.localDescription.sdp

    async def aclose(self) -> None:
        for published in self.published:
            published.stop()
        await self.connection.close()

    def _open_channel(self, channel: RTCDataChannel) -> None:
        channel.on("message", lambda data: self._on_data(channel.label, data))

    def _open_track(self, track) -> None:
        receiver = next(r for r in self.connection.getReceivers() if r.track is track)
        self.published.append(Published(track.kind, receiver))
        self._on_track(self.published[-1])


class SubscriberLink:
    """What the client gets. One task negotiates; `want` asks for more, `aclose` ends it."""

    def __init__(self, send_offer: Callable[[str, int], Awaitable[None]]) -> None:
        self.connection = _connection()
        # aiortc stops the shared transport unless the first offer has nothing but data
        self.channels = {
            RELIABLE: self.connection.createDataChannel(RELIABLE, ordered=True),
            LOSSY: self.connection.createDataChannel(LOSSY, ordered=False, maxRetransmits=0),
        }
        self._send_offer = send_offer
        self._wanted: asyncio.Queue[tuple[Published, str, str]] = asyncio.Queue()
        self._answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._connected = asyncio.Event()
        self._n_offers = 0
        self.connection.on("connectionstatechange", self._on_state)
        self._job = asyncio.create_task(self._negotiate())

    def want(self, published: Published, stream_id: str, track_id: str) -> None:
        self._wanted.put_nowait((published, stream_id, track_id))

    def take_answer(self, sdp: str) -> None:
        if not self._answer.done():
            self._answer.set_result(sdp)

    def send(self, label: str, data: bytes) -> None:
        """Relay a message; lost when the client's channel is not open or has another label."""
        channel = self.channels.get(label)
        if channel is not None and channel.readyState == "open":
            channel.send(data)

    async def aclose(self) -> None:
        self._job.cancel()
        await asyncio.gather(self._job, return_exceptions=True)
        await self.connection.close()

    async def _negotiate(self) -> None:
        await self._offer()
        # aiortc never starts a sender that is negotiated while DTLS is still connecting
        await self._connected.wait()
        while True:
            self._add(*await self._wanted.get())
            while not self._wanted.empty():
                self._add(*self._wanted.get_nowait())
            await self._offer()

    def _add(self, published: Published, stream_id: str, track_id: str) -> None:
        transceiver = self.connection.addTransceiver(published.subscribe(), direction="sendonly")
        sender = transceiver.sender
        sender._stream_id, sender._track_id = stream_id, track_id
        published.attach(sender)

    async def _offer(self) -> None:
        self._answer = asyncio.get_running_loop().create_future()
        self._n_offers += 1
        await self.connection.setLocalDescription(await self.connection.createOffer())
        await self._send_offer(self.connection.localDescription.sdp, self._n_offers)
        sdp = await asyncio.wait_for(self._answer, ANSWER_S)
        await self.connection.setRemoteDescription(_description(sdp, "answer"))

    def _on_state(self) -> None:
        if self.connection.connectionState == "connected":
            self._connected.set()
