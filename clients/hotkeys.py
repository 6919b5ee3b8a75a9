"""Single keys of the terminal, without Enter, and what they mean.

1 .. 9: an emotion; n or 0: neutral; m: mute; q: leave.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any

POLL_S = 0.05
QUEUED_KEYS = 16


class Hotkeys:
    """The meaning of keys in one call."""

    def __init__(self, emotions: Sequence[str]) -> None:
        """Number the emotions of the server from 1 to 9 as they come, without neutral."""
        self.emotions = [name for name in emotions if name != "neutral"][:9]
        self._is_muted = False

    def legend(self) -> str:
        """One line for people."""
        numbered = [f"{number} {name}" for number, name in enumerate(self.emotions, 1)]
        return ", ".join([*numbered, "n neutral", "m mute", "q leave"])

    def message(self, key: str) -> dict[str, Any] | None:
        """The control message (docs/wire.md) of a key; None for one without a meaning."""
        if key in ("n", "0"):
            return {"type": "emotion", "weights": {}}
        if key == "m":
            self._is_muted = not self._is_muted
            return {"type": "mute", "value": self._is_muted}
        if key in "123456789" and key and int(key) <= len(self.emotions):
            return {"type": "emotion", "name": self.emotions[int(key) - 1]}
        return None


async def pressed_keys() -> AsyncGenerator[str]:
    """Keys as they are pressed; none, for ever, where standard input is no terminal."""
    if not sys.stdin.isatty():
        await asyncio.Event().wait()
    keys = _windows_keys() if sys.platform == "win32" else _posix_keys()
    async with contextlib.aclosing(keys) as pressed:
        async for key in pressed:
            yield key


async def _posix_keys() -> AsyncGenerator[str]:
    """Read the terminal whenever it has something; of more than 16 keys the newest are lost."""
    queue: asyncio.Queue[str] = asyncio.Queue(maxsize=QUEUED_KEYS)
    descriptor, loop = sys.stdin.fileno(), asyncio.get_running_loop()

    def read() -> None:
        text = os.read(descriptor, QUEUED_KEYS).decode(errors="ignore")
        if not text:
            loop.remove_reader(descriptor)
        for key in text:
            if not queue.full():
                queue.put_nowait(key)

    with _without_enter(descriptor):
        loop.add_reader(descriptor, read)
        try:
            while True:
                yield await queue.get()
        finally:
            loop.remove_reader(descriptor)


@contextlib.contextmanager
def _without_enter(descriptor: int) -> Iterator[None]:
    """The terminal hands on each key at once and shows none; Ctrl-C still interrupts."""
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)


async def _windows_keys() -> AsyncGenerator[str]:
    """Ask the console 20 times a second: it cannot be waited for together with sockets."""
    import msvcrt

    while True:
        while msvcrt.kbhit():  # type: ignore[attr-defined]
            yield msvcrt.getwch()  # type: ignore[attr-defined]
        await asyncio.sleep(POLL_S)
