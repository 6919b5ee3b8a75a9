"""Staying in a room although connections break: try again, later and later, until told to leave."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from streaming.rooms.first_of import first_of
from streaming.rooms.participant import Room, RoomError

SHORTEST_S, LONGEST_S = 0.5, 4.0
STEADY_S = 10.0
"""A connection that lived so long was a good one: the next wait is the shortest again."""

log = logging.getLogger(__name__)


class LostError(Exception):
    """The connection to the room has failed; another try may help. One line for the user."""

    def __init__(self, reason: str, retry_s: float = 0.0) -> None:
        """A failure for `reason` after which the room asks for `retry_s` seconds of patience."""
        super().__init__(reason)
        self.retry_s = retry_s


async def stay(room: Room, connect: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `connect` again and again until `room.left` is set.

    Args:
        room: its `connected` says whether a connection has ever worked.
        connect: one connection from join to loss; says good-bye when it is cancelled.

    Raises:
        RoomError: the first connection failed, or `connect` says that no other will do.
    """
    loop, delay_s = asyncio.get_running_loop(), SHORTEST_S
    while not room.left.is_set():
        began_s = loop.time()
        try:
            await first_of(connect(), room.left.wait())
        except LostError as error:
            if not room.connected.is_set():
                raise RoomError(str(error)) from None
            if loop.time() - began_s > STEADY_S:
                delay_s = SHORTEST_S
            wait_s = max(delay_s, error.retry_s)
            log.warning("%s; trying again in %.1f s", error, wait_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(room.left.wait(), wait_s)
            delay_s = min(2 * delay_s, LONGEST_S)
