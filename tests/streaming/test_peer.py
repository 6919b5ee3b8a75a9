"""The end of a connection."""

from __future__ import annotations

import asyncio

from streaming.ice import IceSettings
from streaming.peer import Peer
from streaming.playout import Outlet


async def test_a_cancelled_end_leaves_aiortc_to_end_by_itself():
    peer = Peer(IceSettings(), Outlet())
    await peer.offer()
    by_itself = asyncio.create_task(peer.connection.close())
    await asyncio.sleep(0)
    ours = asyncio.create_task(peer.aclose())
    for _ in range(3):
        await asyncio.sleep(0)
    assert not by_itself.done() and not ours.done()
    ours.cancel()
    await by_itself
    assert ours.cancelled()
    await peer.aclose()
