"""One face in one room, without a server of its own: sound -> steps -> what the room carries.

A room is a `Link` that brings publications: it joins when it is watched, appends a publication to
`outlets` for every connection that sends, and removes it when that connection is gone. Read next:
`streaming/session.py`; the rooms are the other files of this package.
"""

from __future__ import annotations

from typing import Any, Protocol

from streaming.face import FaceEngine
from streaming.ingest import warm_up
from streaming.metrics import Metrics
from streaming.peer import NoWayError, Peer
from streaming.playout import Publication
from streaming.session import Link, Session
from streaming.sound_source import SoundSource


class RoomError(ValueError):
    """The room cannot be joined, or has ended for us; one line for the user."""


class Room(Link, Protocol):
    """A call that the face may take part in.

    `watch` joins and stays, however often the connection breaks, until `left` is set from outside
    or the room is over; it raises `RoomError` when there is no use in trying on. `aclose` says
    good-bye, within a few seconds even when nobody answers. `connected` lets the sound begin.
    """

    outlets: list[Publication]
    """Where steps go at present; empty while there is no connection."""


async def offer_of(peer: Peer) -> str:
    """`Peer.offer`; raises RoomError when no address was found."""
    try:
        return await peer.offer()
    except NoWayError as error:
        raise RoomError(str(error)) from None


async def take_part(
    engine: FaceEngine, room: Room, source: SoundSource, seed: int | None = None
) -> dict[str, Any]:
    """Speak in a room until `room.left` is set, the room is over, or the sound is.

    Args:
        engine: loaded and warm.
        room: not joined yet.
        source: what the face says; it is closed at the end.
        seed: of the face's own motion; None for another one each time.

    Returns:
        What was counted, see `Session.stats`.

    Raises:
        RoomError: the room cannot be joined.
    """
    warm_up(engine.lookahead_ms)
    session = Session("room", engine, Metrics(), room, source, room.outlets, seed)
    await session.run()
    return session.stats()
