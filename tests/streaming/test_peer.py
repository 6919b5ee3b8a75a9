"""The end of a connection."""

from __future__ import annotations

import asyncio

from streaming.ice import IceSettings
from streaming.peer import Peer
from streaming.playout import Outlet


async def test_a_cancelled_end_leaves_aiortc_to_end_by_itself(monkeypatch):
    peer, may_end = Peer(IceSettings(), Outlet()), asyncio.Event()
    await peer.offer()
    transceiver = peer.connection.getTransceivers()[0]
    stop = transceiver.stop

    async def stop_later():
        await may_end.wait()
        await stop()

    monkeypatch.setattr(transceiver, "stop", stop_later)
    by_itself = asyncio.create_task(peer.connection.close())
    await asyncio.sleep(0)
    ours = asyncio.create_task(peer.aclose())
    for _ in range(3):  # until it waits for the other
        await asyncio.sleep(0)
    ours.cancel()
    may_end.set()
    await by_itself
    assert ours.cancelled()
    await peer.aclose()
