"""Ways through networks: a real coturn, and STUN servers that do not answer."""

from __future__ import annotations

import asyncio
import socket

import pytest

from streaming.ice import IceSettings, ice_server
from tests.coturn import needs_coturn, running_coturn
from tests.streaming.caller import request
from tests.streaming.conftest import until


@pytest.fixture(scope="module")
def coturn(tmp_path_factory):
    with running_coturn(tmp_path_factory.mktemp("coturn")) as server:
        yield server


@pytest.fixture
def silent_address():
    """A UDP port that takes everything and never answers."""
    with socket.socket(type=socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{deaf.getsockname()[1]}"


def candidate_types(sdp: str) -> set[str]:
    lines = [line.split() for line in sdp.splitlines() if line.startswith("a=candidate:")]
    return {words[words.index("typ") + 1] for words in lines}


async def test_a_silent_stun_server_delays_no_caller_by_more_than_its_bound(
    start_server, callers, silent_address
):
    url = await start_server(ice=IceSettings((ice_server(f"stun:{silent_address}"),)))
    loop = asyncio.get_running_loop()
    caller = callers(url)
    begun = loop.time()
    await caller.call()
    assert 0.9 < loop.time() - begun < 3  # it did wait, and aioice's own 5 s are over sooner
    assert candidate_types(caller.connection.remoteDescription.sdp) == {"host"}
    await until(lambda: len(caller.seen) > 10)


@needs_coturn
async def test_a_stun_server_that_answers_adds_its_candidate(start_server, callers, coturn):
    caller = callers(await start_server(ice=IceSettings((ice_server(f"stun:{coturn.address}"),))))
    await caller.call()
    assert candidate_types(caller.connection.remoteDescription.sdp) == {"host", "srflx"}
    await until(lambda: len(caller.seen) > 10)


@needs_coturn
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_with_relay_only_all_media_passes_the_turn_server(
    start_server, callers, coturn, transport
):
    turn = ice_server(f"turn:{coturn.address}?transport={transport}", coturn.user, coturn.password)
    caller = callers(await start_server(ice=IceSettings((turn,), relay_only=True)))
    await caller.call(data=True)
    assert candidate_types(caller.connection.remoteDescription.sdp) == {"relay"}
    await until(lambda: len(caller.seen) > 50 and len(caller.heard) > 100)
    pairs = caller.connection.sctp.transport.transport._connection._nominated.values()
    assert {pair.remote_candidate.type for pair in pairs} == {"relay"}
    assert {41000 <= pair.remote_addr[1] <= 41200 for pair in pairs} == {True}
    await until(lambda: any('"stats"' in message for message in caller.messages))


@needs_coturn
async def test_a_turn_server_that_refuses_us_is_one_clear_line(start_server, callers, coturn):
    turn = ice_server(f"turn:{coturn.address}", coturn.user, "wrong")
    url = await start_server(ice=IceSettings((turn,), relay_only=True))
    status, body = await callers(url).post_offer_of_audio()
    assert status == 502 and "TURN" in body["error"]
    assert (await request("GET", f"{url}/readyz"))[1]["active_sessions"] == 0


async def test_clients_are_told_the_ice_servers(start_server):
    servers = ice_server("stun:stun.example"), ice_server("turn:me:pass@turn.example:3478")
    url = await start_server(ice=IceSettings(servers, relay_only=True))
    assert await request("GET", f"{url}/api/v1/ice") == (
        200,
        {
            "iceServers": [
                {"urls": "stun:stun.example"},
                {"urls": "turn:turn.example:3478", "username": "me", "credential": "pass"},
            ],
            "iceTransportPolicy": "relay",
        },
    )


async def test_without_ice_servers_there_are_none(start_server):
    _, body = await request("GET", f"{await start_server()}/api/v1/ice")
    assert body == {"iceServers": [], "iceTransportPolicy": "all"}


def test_credentials_may_stand_in_the_url_or_beside_it():
    for server in (
        ice_server("turn:me:p%40ss@turn.example:3478?transport=tcp"),
        ice_server("turn:turn.example:3478?transport=tcp", "me", "p@ss"),
    ):
        assert server.urls == "turn:turn.example:3478?transport=tcp"
        assert (server.username, server.credential) == ("me", "p@ss")
    assert ice_server("stun:stun.example:3478", "me", "p@ss").username is None


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://stun.example", "http"),
        ("stun:", "stun:host"),
        ("stun:example:port", "example:port"),
        ("turn:turn.example", "AVATAR_TURN_USER"),
        ("turn:me@turn.example", "password"),
    ],
)
def test_a_url_that_cannot_be_used_is_named(url, complaint):
    with pytest.raises(ValueError, match=complaint):
        ice_server(url)


def test_relaying_needs_a_turn_server():
    with pytest.raises(ValueError, match="TURN"):
        IceSettings((ice_server("stun:stun.example"),), relay_only=True)
