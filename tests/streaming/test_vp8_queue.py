"""Packets of a real VP8 encoder through the queue: lost, late, too many, too large."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc.codecs.vpx import Vp8Encoder, vp8_depayload
from aiortc.rtp import RtpPacket
from av import VideoFrame

from streaming.vp8_queue import MOST_SIDE, MOST_WAITING, Vp8Queue, is_key_picture

TICKS = 7500  # 12 pictures a second


class Sender:
    """A camera of noise, so that every picture takes several packets."""

    def __init__(self, width: int = 192, height: int = 128, first_sequence: int = 65530) -> None:
        self._encoder, self._rng = Vp8Encoder(), np.random.default_rng(0)
        self._shape = (height, width, 3)
        self._sequence, self._pictures = first_sequence, 0

    def picture(self, is_key: bool = False) -> list[RtpPacket]:
        """The packets of the next picture."""
        noise = self._rng.integers(0, 256, self._shape, np.uint8)
        frame = VideoFrame.from_ndarray(noise, format="rgb24")
        frame.pts, frame.time_base = self._pictures * TICKS, Fraction(1, 90000)
        payloads, timestamp = self._encoder.encode(frame, force_keyframe=is_key)
        packets = [self._packet(payload, timestamp) for payload in payloads]
        packets[-1].marker = 1
        self._pictures += 1
        return packets

    def _packet(self, payload: bytes, timestamp: int) -> RtpPacket:
        packet = RtpPacket(sequence_number=self._sequence % 65536, timestamp=timestamp)
        packet._data = vp8_depayload(payload)
        self._sequence += 1
        return packet


def send(queue: Vp8Queue, packets: list[RtpPacket]) -> bool:
    """Whether a picture that stands alone was asked for."""
    return any([queue.add(packet) for packet in packets])


def test_pictures_come_out_whole_in_order_and_can_be_decoded():
    sender, queue = Sender(), Vp8Queue()
    pictures = [sender.picture() for _ in range(9)]
    assert min(len(packets) for packets in pictures) > 1
    for packets in pictures:
        send(queue, packets)
    taken = queue.take()
    assert taken == [b"".join(p._data for p in packets) for packets in pictures]
    codec = av.CodecContext.create("vp8", "r")
    assert sum(len(codec.decode(av.Packet(picture))) for picture in taken) == 9
    assert queue.take() == [] and queue.dropped == 0


def test_packets_that_overtook_one_another_make_the_same_pictures():
    sender, queue = Sender(), Vp8Queue()
    pictures = [sender.picture() for _ in range(5)]
    send(queue, pictures[0])
    for packets in pictures[1:]:
        send(queue, packets[::-1])
    assert queue.take() == [b"".join(p._data for p in packets) for packets in pictures]


def test_who_joins_late_waits_for_a_picture_that_stands_alone_and_asks_for_it():
    sender, queue = Sender(), Vp8Queue()
    sender.picture()
    assert send(queue, sender.picture())
    asked = [send(queue, sender.picture()) for _ in range(12)]
    assert queue.take() == [] and queue.dropped == 13
    assert 1 <= sum(asked) <= 2  # a second has passed
    send(queue, sender.picture(is_key=True))
    assert not send(queue, sender.picture())
    assert [is_key_picture(picture) for picture in queue.take()] == [True, False]


def test_a_packet_that_never_comes_is_given_up_after_a_second():
    sender, queue = Sender(), Vp8Queue()
    send(queue, sender.picture())
    send(queue, sender.picture()[:-1])
    asked = [send(queue, sender.picture()) for _ in range(14)]
    assert not any(asked[:11]) and any(asked[11:])
    for is_key in (True, False):
        send(queue, sender.picture(is_key))
    assert [is_key_picture(picture) for picture in queue.take()[-2:]] == [True, False]


def test_when_nobody_takes_them_all_are_dropped_and_counted():
    sender, queue = Sender(), Vp8Queue()
    asked = [send(queue, sender.picture()) for _ in range(MOST_WAITING + 10)]
    assert queue.take() == []
    assert queue.dropped == MOST_WAITING + 10 and any(asked[MOST_WAITING:])
    for is_key in (True, False):
        send(queue, sender.picture(is_key))
    assert [is_key_picture(picture) for picture in queue.take()] == [True, False]


def test_a_sender_that_starts_anew_is_followed_from_its_first_picture_that_stands_alone():
    queue = Vp8Queue()
    for first_sequence in (100, 40_000, 60_000, 20):
        sender = Sender(first_sequence=first_sequence)
        sender.picture()
        assert send(queue, sender.picture())
        for is_key in (True, False):
            send(queue, sender.picture(is_key))
        assert [is_key_picture(picture) for picture in queue.take()] == [True, False]


def test_a_new_picture_that_stands_alone_makes_those_before_it_needless():
    sender, queue = Sender(), Vp8Queue()
    for is_key in (True, False, False, True, False):
        send(queue, sender.picture(is_key))
    assert [is_key_picture(picture) for picture in queue.take()] == [True, False]
    assert queue.dropped == 3


def test_too_large_pictures_are_dropped_and_none_is_asked_for():
    large, queue = Sender(MOST_SIDE + 16, 16), Vp8Queue()
    assert not any([send(queue, large.picture()) for _ in range(24)][1:])
    assert queue.take() == [] and queue.dropped == 24


@pytest.mark.parametrize("data", [b"", b"\0", b"\0" * 9, b"\1" * 40])
def test_pictures_that_are_none_are_no_error(data):
    queue = Vp8Queue()
    for sequence in range(3):
        packet = RtpPacket(marker=1, sequence_number=sequence, timestamp=sequence * TICKS)
        packet._data = data
        queue.add(packet)
    assert queue.take() == []
