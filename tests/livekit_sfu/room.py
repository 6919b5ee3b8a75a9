"""Rooms and participants of the stand-in SFU: who is there, who sends what to whom."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web
from livekit.protocol import models, rtc

from tests.livekit_sfu.forwarding import Published
from tests.livekit_sfu.links import PublisherLink, SubscriberLink

VERSION = "1.9.0"
KINDS = {"audio": models.AUDIO, "video": models.VIDEO}
MIME_TYPES = {models.AUDIO: "audio/opus", models.VIDEO: "video/VP8"}

DropRule = Callable[[models.DataPacket], bool]
"""Whether a data packet gets lost on its way."""


def new_id(prefix: str) -> str:
    return prefix + secrets.token_hex(6)


class Room:
    """Participants who see and hear each other."""

    def __init__(self, name: str, drops: DropRule) -> None:
        self.info = models.Room(sid=new_id("RM_"), name=name, creation_time=int(time.time()))
        self.participants: dict[str, Participant] = {}
        self.drops = drops

    def others(self, participant: Participant) -> list[Participant]:
        return [p for p in self.participants.values() if p is not participant]

    async def announce(self, participant: Participant, to_itself: bool = False) -> None:
        update = rtc.ParticipantUpdate(participants=[participant.info])
        for other in self.others(participant) + ([participant] if to_itself else []):
            await other.send(update=update)


class Participant:
    """One client, from its token to its leave."""

    def __init__(
        self,
        room: Room,
        claims: dict[str, Any],
        socket: web.WebSocketResponse,
        auto_subscribe: bool = True,
    ) -> None:
        self.room, self._socket, self._auto_subscribe = room, socket, auto_subscribe
        self._subscribed: set[str] = set()
        kind = str(claims.get("kind", "standard")).upper()
        self.info = models.ParticipantInfo(
            sid=new_id("PA_"),
            identity=claims["sub"],
            name=claims.get("name", ""),
            kind=models.ParticipantInfo.Kind.Value(kind),
            attributes=claims.get("attributes") or {},
            state=models.ParticipantInfo.State.ACTIVE,
            joined_at=int(time.time()),
            permission=models.ParticipantPermission(
                can_subscribe=True,
                can_publish=True,
                can_publish_data=True,
                can_update_metadata=bool(claims["video"].get("canUpdateOwnMetadata")),
            ),
        )
        self.tracks: dict[str, Published] = {}
        self.publisher = PublisherLink(self._take_track, self._relay)
        self.subscriber = SubscriberLink(self._send_offer)
        self._arrived: list[str] = []  # sids of tracks that nobody has been told of

    async def send(self, **message: Any) -> None:
        if not self._socket.closed:
            await self._socket.send_bytes(rtc.SignalResponse(**message).SerializeToString())

    async def join(self) -> None:
        others = self.room.others(self)
        await self.send(
            join=rtc.JoinResponse(
                room=self.room.info,
                participant=self.info,
                other_participants=[o.info for o in others],
                server_version=VERSION,
                server_info=models.ServerInfo(version=VERSION, protocol=15),
                subscriber_primary=True,
                ping_interval=5,
                ping_timeout=15,
                enabled_publish_codecs=[models.Codec(mime=m) for m in MIME_TYPES.values()],
            )
        )
        await self.room.announce(self)
        for other in others:
            for sid in other.tracks:
                self.offer_track(other, sid)

    async def leave(self) -> None:
        self.info.state = models.ParticipantInfo.State.DISCONNECTED
        await self.room.announce(self)
        await self.publisher.aclose()
        await self.subscriber.aclose()

    def offer_track(self, other: Participant, sid: str) -> None:
        """Another participant has a track, which we may have asked not to be given."""
        if self._auto_subscribe:
            self._subscribe(other, sid)

    def _subscribe(self, other: Participant, sid: str) -> None:
        """Get a track of another participant; tracks of one stream are played in step."""
        if sid not in self._subscribed:
            self._subscribed.add(sid)
            stream = next(t.stream for t in other.info.tracks if t.sid == sid) or sid
            self.subscriber.want(other.tracks[sid], f"{other.info.sid}|{stream}", sid)

    async def on_request(self, request: rtc.SignalRequest) -> bool:
        """Answer one signalling message; False for a leave."""
        kind = request.WhichOneof("message")
        reply = getattr(self, f"_on_{kind}", None)
        if reply is not None:
            await reply(getattr(request, kind))
        return kind != "leave"

    async def _on_offer(self, offer: rtc.SessionDescription) -> None:
        sdp = await self.publisher.answer(offer.sdp)
        await self.send(answer=rtc.SessionDescription(type="answer", sdp=sdp, id=offer.id))
        if self._arrived:
            await self.room.announce(self)
        for sid in self._arrived:
            for other in self.room.others(self):
                other.offer_track(self, sid)
        self._arrived.clear()

    async def _on_answer(self, answer: rtc.SessionDescription) -> None:
        self.subscriber.take_answer(answer.sdp)

    async def _on_add_track(self, wanted: rtc.AddTrackRequest) -> None:
        track = models.TrackInfo(
            sid=new_id("TR_"),
            mime_type=MIME_TYPES[wanted.type],
            **{
                name: getattr(wanted, name)
                for name in ("type", "name", "muted", "width", "height", "source", "stream")
            },
        )
        self.info.tracks.append(track)
        self.info.is_publisher = True
        await self.send(track_published=rtc.TrackPublishedResponse(cid=wanted.cid, track=track))

    async def _on_subscription(self, wanted: rtc.UpdateSubscription) -> None:
        for other in self.room.others(self):
            for sid in set(wanted.track_sids) & set(other.tracks) if wanted.subscribe else ():
                self._subscribe(other, sid)

    async def _on_update_metadata(self, update: rtc.UpdateParticipantMetadata) -> None:
        allowed = self.info.permission.can_update_metadata
        reasons = rtc.RequestResponse.Reason
        if allowed:
            self.info.attributes.update(update.attributes)
            await self.room.announce(self, to_itself=True)
        await self.send(
            request_response=rtc.RequestResponse(
                request_id=update.request_id,
                reason=reasons.OK if allowed else reasons.NOT_ALLOWED,
                message="" if allowed else "does not have permission to update own metadata",
            )
        )

    async def _on_ping(self, sent_ms: int) -> None:
        await self.send(pong=int(time.time() * 1000))

    async def _on_ping_req(self, ping: rtc.Ping) -> None:
        now_ms = int(time.time() * 1000)
        await self.send(pong_resp=rtc.Pong(last_ping_timestamp=ping.timestamp, timestamp=now_ms))

    async def _send_offer(self, sdp: str, number: int) -> None:
        await self.send(offer=rtc.SessionDescription(type="offer", sdp=sdp, id=number))

    def _take_track(self, published: Published) -> None:
        """The connection has a new track: the oldest announced one of its kind."""
        sid = next(
            t.sid
            for t in self.info.tracks
            if t.type == KINDS[published.kind] and t.sid not in self.tracks
        )
        self.tracks[sid] = published
        self._arrived.append(sid)

    def _relay(self, label: str, data: bytes) -> None:
        """Give a data packet to those whom it names, or to everybody else."""
        packet = models.DataPacket.FromString(data)
        if self.room.drops(packet):
            return
        packet.participant_identity, packet.participant_sid = self.info.identity, self.info.sid
        names = set(packet.destination_identities)
        for other in self.room.others(self):
            if not names or other.info.identity in names:
                other.subscriber.send(label, packet.SerializeToString())
