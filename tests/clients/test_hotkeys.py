"""What single keys mean, and how they are read from a real terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
import termios

import pytest

from clients.hotkeys import Hotkeys, pressed_keys

SERVED = ("neutral", "happy", "sad")


def test_digits_are_the_server_s_emotions_in_its_order():
    hotkeys = Hotkeys(SERVED)
    assert hotkeys.message("1") == {"type": "emotion", "name": "happy"}
    assert hotkeys.message("2") == {"type": "emotion", "name": "sad"}
    assert "1 happy" in hotkeys.legend() and "2 sad" in hotkeys.legend()


@pytest.mark.parametrize("key", ["n", "0"])
def test_neutral_takes_every_emotion_off(key):
    assert Hotkeys(SERVED).message(key) == {"type": "emotion", "weights": {}}


def test_mute_is_a_switch():
    hotkeys = Hotkeys(SERVED)
    assert [hotkeys.message("m") for _ in range(3)] == [
        {"type": "mute", "value": value} for value in (True, False, True)
    ]


@pytest.mark.parametrize("key", ["3", "9", "x", " ", "\x1b", "", "²"])
def test_other_keys_mean_nothing(key):
    assert Hotkeys(SERVED).message(key) is None


def test_only_nine_emotions_have_a_key():
    assert Hotkeys([f"e{i}" for i in range(12)]).emotions[-1] == "e8"


@pytest.fixture
def terminal(monkeypatch):
    """The other end of a terminal that is our standard input."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield ours
    os.close(ours)


async def test_keys_come_without_enter_and_the_terminal_is_left_as_it_was(terminal):
    before = termios.tcgetattr(sys.stdin.fileno())
    keys = pressed_keys()
    first = asyncio.create_task(anext(keys))
    await asyncio.sleep(0.05)
    os.write(terminal, b"1m")
    assert [await asyncio.wait_for(first, 5), await asyncio.wait_for(anext(keys), 5)] == ["1", "m"]
    await keys.aclose()
    assert termios.tcgetattr(sys.stdin.fileno()) == before


async def test_of_more_than_sixteen_waiting_keys_the_newest_are_lost(terminal):
    keys = pressed_keys()
    first = asyncio.create_task(anext(keys))
    await asyncio.sleep(0.05)
    for part in (b"0123456789abcdef", b"ghij"):
        os.write(terminal, part)
        await asyncio.sleep(0.05)
    assert await asyncio.wait_for(first, 5) == "0"
    rest = [await asyncio.wait_for(anext(keys), 5) for _ in range(15)]
    assert "".join(rest).startswith("123456789abcdef")
    await keys.aclose()
