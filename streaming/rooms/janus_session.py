"""One session of a Janus server over its WebSocket API: requests, their answers, events.

    request   {"janus": "message", "transaction": "x", "handle_id": 7, "body": {...}}
    answers   {"janus": "ack", "transaction": "x"}      taken note of; the event is the answer
              {"janus": "event", "transaction": "x", "sender": 7, "plugindata": {...}}
    events    {"janus": "hangup", "sender": 7, ...}     without a transaction, to the handle

See https://janus.conf.meetecho.com/docs/rest.html. Read next: `streaming/rooms/janus.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from streaming.rooms.participant import RoomError
from streaming.rooms.staying import LostError

KEEPALIVE_S = 20.0
"""A Janus of stock configuration forgets a session after 60 s without a request."""
PING_S = 4.0
"""A server that has answered no WebSocket ping for so long after the last one is gone."""
REQUEST_S = 8.0
GOODBYE_S = 2.0
SESSION_GONE = (458, 459)
"""Errors of Janus for a session or handle that it does not know any more."""

log = logging.getLogger(__name__)

Message = dict[str, Any]


class JanusError(RoomError):
    """Janus or one of its plugins refuses a request."""

    def __init__(self, code: int, reason: str) -> None:
        """A refusal with Janus' own code and words."""
        super().__init__(f"Janus refuses: {reason} ({code})")
        self.code = code


class JanusSession:
    """A session from its opening to its loss; use it with `async with`."""

    def __init__(self, url: str, api_secret: str | None = None) -> None:
        """A session that is not open.

        Args:
            url: ws or wss address of the server's WebSocket transport.
            api_secret: what `api_secret` of its configuration demands.
        """
        self._url = url
        self._always = {} if api_secret is None else {"apisecret": api_secret}
        self._answers: dict[str, tuple[asyncio.Future[Message], bool]] = {}
        self._listeners: dict[int, Callable[[Message], None]] = {}
        self._jobs: list[asyncio.Task[None]] = []
        self._socket: ClientConnection
        self.lost: asyncio.Future[None]

    async def __aenter__(self) -> Self:
        """Open the session.

        Raises:
            LostError: the server cannot be reached.
            JanusError: it refuses.
        """
        try:
            self._socket = await connect(
                self._url,
                subprotocols=[Subprotocol("janus-protocol")],
                ping_interval=PING_S,
                ping_timeout=PING_S,
                open_timeout=REQUEST_S,
                close_timeout=GOODBYE_S,
            )
        except (OSError, TimeoutError, WebSocketException) as error:
            reason = str(error) or type(error).__name__
            raise LostError(f"{self._url}: cannot be reached ({reason})") from None
        self.lost = asyncio.get_running_loop().create_future()
        self._jobs.append(asyncio.create_task(self._read(), name="janus reader"))
        try:
            created = await self.request("create")
        except BaseException:
            await self._close()
            raise
        self._always["session_id"] = created["data"]["id"]
        self._jobs.append(asyncio.create_task(self._keep_alive(), name="janus keepalive"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Destroy the session, if it is still there."""
        if not self.lost.done():
            with contextlib.suppress(LostError, RoomError, TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await self.request("destroy")
        await self._close()

    async def attach(self, plugin: str, listen: Callable[[Message], None]) -> int:
        """A new handle of a plugin; `listen` gets the events that answer no request."""
        handle: int = (await self.request("attach", plugin=plugin))["data"]["id"]
        self._listeners[handle] = listen
        return handle

    async def detach(self, handle: int) -> None:
        """Let go of a handle and of whatever it receives."""
        self._listeners.pop(handle, None)
        await self.request("detach", handle_id=handle)

    async def message(self, handle: int, body: Message, jsep: Message | None = None) -> Message:
        """Ask a plugin and return the event that answers.

        Raises:
            JanusError: the plugin refuses.
            LostError: no answer comes.
        """
        more = {} if jsep is None else {"jsep": jsep}
        event = await self.request("message", handle_id=handle, body=body, **more)
        data = data_of(event)
        if "error_code" in data:
            raise JanusError(data["error_code"], data.get("error", ""))
        return event

    async def request(self, kind: str, **fields: Any) -> Message:
        """Send a request of the Janus API and return its answer.

        Raises:
            JanusError: Janus refuses.
            LostError: no answer comes, or Janus knows the session no more.
        """
        transaction = secrets.token_urlsafe(9)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[transaction] = answer, kind == "message"
        request = {"janus": kind, "transaction": transaction, **self._always, **fields}
        try:
            await self._socket.send(json.dumps(request))
            async with asyncio.timeout(REQUEST_S):
                reply = await answer
        except WebSocketException:
            raise LostError(f"{self._url}: the connection was lost") from None
        except TimeoutError:
            raise LostError(f"{self._url}: no answer within {REQUEST_S:.0f} s") from None
        finally:
            del self._answers[transaction]
        if reply.get("janus") == "error":
            code, reason = reply["error"]["code"], reply["error"]["reason"]
            if code in SESSION_GONE:
                raise LostError(f"{self._url}: {reason}")
            raise JanusError(code, reason)
        return reply

    async def watch(self) -> None:
        """Wait until the session is lost; raises what lost it."""
        await asyncio.wait({self.lost})
        self.lost.result()

    def lose(self, error: Exception) -> None:
        """Declare the session lost for `error`, unless it is already."""
        if not self.lost.done():
            self.lost.set_exception(error)

    async def _read(self) -> None:
        """Hand out what comes until the socket closes."""
        try:
            async for text in self._socket:
                self._take(json.loads(text))
            error = LostError(f"{self._url}: the server closed the connection")
        except Exception as failure:  # of the socket, or of a message that is not as documented
            log.debug("the socket failed", exc_info=True)
            error = LostError(f"{self._url}: the connection was lost ({type(failure).__name__})")
        self.lose(error)
        for answer, _ in self._answers.values():
            if not answer.done():
                answer.set_exception(error)

    def _take(self, message: Message) -> None:
        answer, wants_event = self._answers.get(message.get("transaction", ""), (None, False))
        if answer is not None and not (wants_event and message["janus"] == "ack"):
            if not answer.done():
                answer.set_result(message)
        elif message["janus"] == "timeout":
            self.lose(LostError(f"{self._url}: the session has timed out"))
        elif message.get("sender") in self._listeners:
            self._listeners[message["sender"]](message)

    async def _keep_alive(self) -> None:
        """Ask for nothing now and then: a server that forgets or hangs may keep the socket open."""
        while True:
            await asyncio.sleep(KEEPALIVE_S)
            try:
                await self.request("keepalive")
            except (LostError, JanusError) as error:
                return self.lose(LostError(str(error)))

    async def _close(self) -> None:
        if self.lost.done():
            self.lost.exception()
        else:
            self.lost.cancel()
        await self._socket.close()
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)


def data_of(message: Message) -> Message:
    """What the plugin says in an event; empty when it says nothing."""
    data = message.get("plugindata", {}).get("data", {})
    return data if isinstance(data, dict) else {}
