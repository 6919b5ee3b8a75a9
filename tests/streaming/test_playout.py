"""Tracks of one receiver: pts from the step, a common start, bounded queues."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError

from streaming.playout import MOST_PICTURES, MOST_SOUNDS, EncoderColours, Outlet, Step

PICTURE = np.zeros((96, 64), np.uint8)


def step(k: int, with_picture: bool = True) -> Step:
    packets = [b"first %d" % k, b"second %d" % k]
    return Step(k, PICTURE if with_picture else None, packets, np.zeros(1920, np.int16))


async def reading(outlet: Outlet) -> tuple[asyncio.Task, asyncio.Task]:
    readers = asyncio.create_task(outlet.picture.recv()), asyncio.create_task(outlet.sound.recv())
    await asyncio.sleep(0)
    return readers


async def test_both_tracks_begin_with_the_first_step_that_both_can_take():
    outlet = Outlet()
    outlet.push(step(0))
    picture = asyncio.create_task(outlet.picture.recv())
    await asyncio.sleep(0)
    outlet.push(step(1))
    sound = asyncio.create_task(outlet.sound.recv())
    await asyncio.sleep(0)
    outlet.push(step(2, with_picture=False))
    outlet.push(step(3))
    assert (await picture).pts == 3600 * 3
    assert (await sound).pts == 1920 * 3


async def test_sound_goes_on_where_pictures_are_left_out():
    outlet = Outlet()
    picture, sound = await reading(outlet)
    for k in range(4):
        outlet.push(step(k, with_picture=k in (0, 3)))
    assert [(await picture).pts, (await outlet.picture.recv()).pts] == [0, 3600 * 3]
    pts = [(await sound).pts] + [(await outlet.sound.recv()).pts for _ in range(7)]
    assert pts == [960 * i for i in range(8)]


async def test_the_sound_of_a_step_goes_out_in_two_packets():
    outlet = Outlet()
    _, sound = await reading(outlet)
    outlet.push(step(5))
    first, second = await sound, await outlet.sound.recv()
    assert (bytes(first), bytes(second)) == (b"first 5", b"second 5")
    assert (first.pts, second.pts, first.time_base) == (9600, 10560, Fraction(1, 48000))


async def test_a_slow_receiver_gets_the_newest_and_the_rest_is_counted():
    outlet = Outlet()
    picture, sound = await reading(outlet)
    outlet.push(step(0))
    await asyncio.gather(picture, sound)
    for k in range(1, 21):
        outlet.push(step(k))
    assert outlet.dropped_pictures == 20 - MOST_PICTURES
    assert outlet.dropped_sounds == 20 - MOST_SOUNDS
    assert (await outlet.picture.recv()).pts == 3600 * (21 - MOST_PICTURES)


async def test_receivers_do_not_share_frames():
    outlets = Outlet(), Outlet()
    readers = [await reading(outlet) for outlet in outlets]
    for outlet in outlets:
        outlet.push(step(0))
    first, second = [await picture for picture, _ in readers]
    await asyncio.gather(*(sound for _, sound in readers))
    assert first is not second


async def test_a_stopped_track_ends():
    outlet = Outlet()
    outlet.picture.stop()
    with pytest.raises(MediaStreamError):
        await outlet.picture.recv()


def test_colours_survive_the_conversion():
    from av import VideoFrame

    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32] = (200, 60, 40)
    planes = EncoderColours().convert(picture)
    back = VideoFrame.from_ndarray(planes, format="yuv420p").to_ndarray(format="rgb24")
    error = np.abs(back.astype(int) - picture)
    assert error[:28].max() <= 3 and error[36:].max() <= 3  # away from the edge of the colours
