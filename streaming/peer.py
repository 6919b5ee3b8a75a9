"""One WebRTC connection: an offer or the answer to one, its packets, its end.

aiortc's own receive buffer for sound is 80 ms deep and never drains after a loss, so the packets of
the microphone are taken before it. Read next: `streaming/signalling.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiortc import (
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.codecs import vpx
from aiortc.rtp import RtpPacket

from streaming.camera import Camera
from streaming.ice import (
    IceSettings,
    candidates_of,
    mids_of,
    with_shared_candidates,
    without_mdns,
)
from streaming.playout import Outlet

VANISHED_S = 20.0
"""A peer from which nothing has come for so long has left."""
WATCH_S = 1.0
VP8 = "VP8"
MOST_MEDIA = 16
"""Media sections of an offer: each costs aiortc a receiver."""

log = logging.getLogger(__name__)

PacketSink = Callable[[int, int, bytes], None]
"""Takes SSRC, RTP timestamp and Opus payload."""


def set_vp8_bitrate(start: int, lowest: int, highest: int) -> None:
    """Set the bit rates of all VP8 senders of the process, bits a second.

    aiortc has no option for it and reads these constants whenever it makes an encoder; its own
    (0.5 Mb/s at the start, 1.5 at most) blur a face of 512 px.
    """
    vpx.DEFAULT_BITRATE, vpx.MIN_BITRATE, vpx.MAX_BITRATE = start, lowest, highest


class NoWayError(Exception):
    """No packet could come: the TURN server through which all must go does not let us in."""


class _PacketTap:
    """Stands where aiortc's jitter buffer of one receiver was and hands every packet on at once."""

    def __init__(self, sink: PacketSink) -> None:
        self._sink = sink

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        """Take one packet; False, no picture-loss request; None, nothing for aiortc to decode."""
        self._sink(packet.ssrc, packet.timestamp, packet._data)  # type: ignore[attr-defined]
        return False, None


def _tap(receiver: RTCRtpReceiver, tap: _PacketTap | Camera) -> None:
    """Let the packets of this receiver go to `tap`."""
    name = "_RTCRtpReceiver__jitter_buffer"
    if not hasattr(receiver, name):
        raise RuntimeError("this version of aiortc keeps its jitter buffer elsewhere")
    setattr(receiver, name, tap)


class Peer:
    """A connection that sends one outlet and, from callers, receives one microphone."""

    def __init__(self, ice: IceSettings, outlet: Outlet | None) -> None:
        """A connection that has said nothing yet.

        Args:
            ice: how peers in other networks are reached.
            outlet: what to send; None for a peer who only brings sound.
        """
        self.connection = RTCPeerConnection(ice.configuration())
        self.connected, self.left = asyncio.Event(), asyncio.Event()
        self._outlet = outlet
        self._camera: Camera | None = None
        self._media: list[str] = []
        self._closing: asyncio.Task[None] | None = None
        self.connection.on("connectionstatechange", self._on_state)

    async def answer(self, sdp: str, sink: PacketSink | None, camera: Camera | None = None) -> str:
        """Accept an offer and return the answer's SDP, with all candidates.

        Args:
            sdp: the offer.
            sink: where the microphone's packets go; None when the peer only watches.
            camera: takes the peer's own picture, if one is offered in VP8, now or by a later
                offer; None to refuse it.

        Raises:
            ValueError: the offer cannot be read, or has nothing that this peer is for.
            NoWayError: there is no address at which the peer could reach us.
        """
        if sdp.count("\nm=") > MOST_MEDIA:
            raise ValueError(f"the offer has more than {MOST_MEDIA} media sections")
        if f" {VP8}/" not in sdp:  # of what a camera may send, this alone is decoded
            camera = None
        self._camera, self._media = camera, mids_of(sdp)
        sound, picture = self._add_transceivers(sink is not None, camera is not None)
        await self._take_offer(sdp)
        self._refuse_other_media(sound, picture)
        if sink is not None:
            if sound.receiver.track is None:
                raise ValueError("the offer sends no audio")
            _tap(sound.receiver, _PacketTap(sink))
        elif sound.mid is None and picture.mid is None:
            raise ValueError("the offer asks for neither audio nor video")
        if self._outlet is not None:
            self._outlet.sends_sound = _is_sent(sound)
            self._outlet.sends_picture = _is_sent(picture)
        return await self._answer_offer()

    async def answer_again(self, sdp: str) -> str:
        """Accept a later offer of the same peer, who starts or stops to send a camera.

        Raises:
            ValueError: the offer cannot be read, or is of another call.
        """
        if mids_of(sdp) != self._media:  # aiortc would make a receiver for every new one
            raise ValueError("a later offer must have the media sections of the first one")
        await self._take_offer(sdp)
        return await self._answer_offer()

    async def offer(self) -> str:
        """Offer to send the outlet and nothing else; the SDP, with all candidates.

        Raises:
            NoWayError: there is no address at which the peer could reach us.
        """
        assert self._outlet is not None, "there is nothing to send"
        self._add_transceivers(wants_sound=False, wants_camera=False)
        return await self._describe(await self.connection.createOffer())

    async def accept(self, sdp: str) -> None:
        """Take the answer to our offer.

        Raises:
            ValueError: the answer cannot be read, or does not fit the offer.
        """
        try:
            answer = RTCSessionDescription(with_shared_candidates(without_mdns(sdp)), "answer")
            await self.connection.setRemoteDescription(answer)
        except Exception as error:  # aiortc's parser asserts, indexes and converts
            log.debug("refused answer", exc_info=True)
            reason = error or type(error).__name__
            raise ValueError(f"the answer cannot be used: {reason}") from None
        sound, picture = self.connection.getTransceivers()
        assert self._outlet is not None
        self._outlet.sends_sound = sound.currentDirection == "sendonly"
        self._outlet.sends_picture = picture.currentDirection == "sendonly"

    async def trickle(self, fragment: str) -> None:
        """Add the candidates of a trickle-ice-sdpfrag.

        Raises:
            ValueError: a candidate cannot be read.
        """
        transport = self.connection.getTransceivers()[0].receiver.transport.transport
        for candidate in candidates_of(fragment):
            # aiortc's own addIceCandidate leaves bundled media out, and all of ours is bundled
            await transport.addRemoteCandidate(candidate)

    async def watch(self) -> None:
        """Return when the peer has left: said so, lost its connection, or fell silent for long."""
        silent_s, packets = 0.0, -1
        while silent_s < VANISHED_S and not self.left.is_set():
            received = await self._received_packets()
            silent_s = silent_s + WATCH_S if received == packets else 0.0
            packets = received
            try:
                await asyncio.wait_for(self.left.wait(), WATCH_S)
            except TimeoutError:
                continue

    async def aclose(self) -> None:
        """End the connection."""
        self.left.set()
        # aiortc also closes by itself; cancelled in the wait for that, we would cancel it
        self._closing = self._closing or asyncio.create_task(self.connection.close())
        await asyncio.shield(self._closing)

    async def _take_offer(self, sdp: str) -> None:
        """Let aiortc read an offer; raises ValueError when it cannot."""
        try:
            offer = RTCSessionDescription(with_shared_candidates(without_mdns(sdp)), "offer")
            await self.connection.setRemoteDescription(offer)
        except Exception as error:  # aiortc's parser asserts, indexes and converts
            log.debug("refused offer", exc_info=True)
            raise ValueError(f"the offer cannot be used: {error or type(error).__name__}") from None

    async def _answer_offer(self) -> str:
        """The SDP of the answer; the camera is tapped first if the offer sends one."""
        picture = self.connection.getTransceivers()[1]
        if self._camera is not None and picture.receiver.track is not None:
            _tap(picture.receiver, self._camera)
        return await self._describe(await self.connection.createAnswer())

    async def _describe(self, description: RTCSessionDescription) -> str:
        """Gather and return our side's SDP; raises NoWayError when nothing was found."""
        await self.connection.setLocalDescription(description)
        sdp = self.connection.localDescription.sdp
        if "a=candidate:" not in sdp:
            raise NoWayError("no TURN server gave an address: check --ice-server and its user")
        return sdp

    def _add_transceivers(
        self, wants_sound: bool, wants_camera: bool
    ) -> tuple[RTCRtpTransceiver, RTCRtpTransceiver]:
        """One for sound, one for the picture, before the offer, so that it takes our codecs."""
        outlet = self._outlet
        sound = self.connection.addTransceiver(
            outlet.sound if outlet else "audio",
            direction=_direction(outlet is not None, wants_sound or outlet is None),
        )
        picture = self.connection.addTransceiver(
            outlet.picture if outlet else "video",
            direction=_direction(outlet is not None, wants_camera),
        )
        sound.setCodecPreferences(_codecs("audio", "audio/opus"))
        if outlet or wants_camera:  # else any codec will do for a picture that never comes
            picture.setCodecPreferences(_codecs("video", f"video/{VP8}", "video/rtx"))
        # aiortc stops the shared transport when the first m-line is not of its first transceiver
        sound._bundled = True
        return sound, picture

    def _refuse_other_media(self, *wanted: RTCRtpTransceiver) -> None:
        """Receive nothing that nobody reads: aiortc queues it without end."""
        for transceiver in self.connection.getTransceivers():
            if transceiver not in wanted:
                transceiver.direction = "inactive"
            elif transceiver.mid is None:
                transceiver._offerDirection = "inactive"  # aiortc leaves it None and stumbles

    async def _received_packets(self) -> int:
        """Packets of any kind that have come from the peer."""
        receiver = self.connection.getTransceivers()[0].receiver
        stats: dict[str, Any] = await receiver.getStats()
        return sum(s.packetsReceived for s in stats.values() if s.type == "transport")

    def _on_state(self) -> None:
        state = self.connection.connectionState
        if state == "connected":
            self.connected.set()
        elif state in ("closed", "failed"):
            self.left.set()


def _codecs(kind: str, *mime_types: str) -> list[Any]:
    capabilities = RTCRtpReceiver.getCapabilities(kind)
    assert capabilities is not None
    return [c for c in capabilities.codecs if c.mimeType in mime_types]


def _direction(sends: bool, receives: bool) -> str:
    if sends:
        return "sendrecv" if receives else "sendonly"
    return "recvonly" if receives else "inactive"


def _is_sent(transceiver: RTCRtpTransceiver) -> bool:
    """Whether the peer asked for the track of this transceiver."""
    offered = transceiver._offerDirection or "inactive"
    return transceiver.mid is not None and "send" in offered and "send" in transceiver.direction
