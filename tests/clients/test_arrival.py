from aiortc.rtp import RtpPacket

from clients.arrival import MarkedPictures, PromptSound


def packet(sequence: int, timestamp: int, marker: bool = False) -> RtpPacket:
    made = RtpPacket(sequence_number=sequence % 65536, timestamp=timestamp, marker=int(marker))
    made._data = bytes([sequence % 256])
    return made


def test_a_picture_is_released_with_its_last_packet():
    pictures = MarkedPictures()
    assert pictures.add(packet(7, 3600))[1] is None
    frame = pictures.add(packet(8, 3600, marker=True))[1]
    assert (frame.data, frame.timestamp) == (bytes([7, 8]), 3600)


def test_a_picture_waits_for_a_packet_that_was_overtaken():
    pictures = MarkedPictures()
    pictures.add(packet(65534, 3600))
    assert pictures.add(packet(65536, 3600, marker=True))[1] is None
    assert pictures.add(packet(65535, 3600))[1].data == bytes([254, 255, 0])


def test_sound_is_released_at_once_and_overtaken_sound_is_dropped():
    sound = PromptSound()
    assert sound.add(packet(65535, 960))[1].timestamp == 960
    assert sound.add(packet(65537, 2880))[1].timestamp == 2880
    assert sound.add(packet(65536, 1920))[1] is None
    assert sound.overtaken == 1
