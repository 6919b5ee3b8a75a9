"""The data channel `control`: messages of docs/wire.md in, answers and reports out."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

from aiortc import RTCDataChannel

from streaming.session import Session

LABEL = "control"
MOST_WAITING = 32
"""Messages of one caller that may wait; further ones are refused."""
MOST_CHARACTERS = 16384


def read_message(text: str | bytes) -> dict[str, Any]:
    """One control message.

    Raises:
        ValueError: not a JSON object.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("a control message is a JSON object; this is not JSON") from None
    if not isinstance(message, dict):
        raise ValueError(f"a control message is a JSON object, got {type(message).__name__}")
    return message


async def answer(session: Session, message: dict[str, Any]) -> dict[str, Any]:
    """Carry out one control message; the reply is never an exception.

    Returns:
        `{"ok": True, "settings": ...}`, the ping itself, or `{"ok": False, "error": ...}`, with the
        `id` of the message if it has one.
    """
    reply: dict[str, Any]
    try:
        if message.get("type") == "ping":
            reply = _pong(message)
        else:
            reply = {"ok": True, "settings": await session.control(message)}
    except ValueError as error:
        reply = {"ok": False, "error": str(error)}
    if isinstance(message.get("id"), str | int):
        reply["id"] = message["id"]
    return reply


class ControlChannel:
    """One caller's open data channel."""

    def __init__(self, session: Session, channel: RTCDataChannel) -> None:
        """Listen on `channel` for `session`; `run` answers."""
        self._session, self._channel = session, channel
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue(MOST_WAITING)
        channel.on("message", self._on_message)

    async def run(self) -> None:
        """Answer messages in order and report every second, for ever."""
        report = asyncio.create_task(self._report())
        try:
            while True:
                self._send(await answer(self._session, await self._messages.get()))
        finally:
            report.cancel()
            await asyncio.gather(report, return_exceptions=True)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._send({"type": "stats", **self._session.stats()})

    def _on_message(self, text: str | bytes) -> None:
        try:
            if len(text) > MOST_CHARACTERS:
                raise ValueError(f"control message of {len(text)} characters")
            message = read_message(text)
            if message.get("type") == "ping":
                self._send({**_pong(message), **({"id": message["id"]} if "id" in message else {})})
            else:
                self._messages.put_nowait(message)
        except ValueError as error:
            self._send({"ok": False, "error": str(error)})
        except asyncio.QueueFull:
            self._send({"ok": False, "error": f"{MOST_WAITING} messages are waiting already"})

    def _send(self, reply: dict[str, Any]) -> None:
        if self._channel.readyState == "open":
            self._channel.send(json.dumps(reply))


def _pong(message: dict[str, Any]) -> dict[str, Any]:
    t = message.get("t")
    if not isinstance(t, int | float) or not math.isfinite(t):
        raise ValueError(f"ping needs a number t, got {t!r}")
    return {"type": "ping", "t": t}
