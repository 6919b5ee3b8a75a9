"""What `/whip` and `/whep` say and refuse, by RFC 9725."""

from __future__ import annotations

import aiohttp
import pytest

from streaming.ice import IceSettings, ice_server
from streaming.rooms.whip_client import ice_servers_of
from tests.streaming.caller import request
from tests.streaming.conftest import until

FRAGMENT = "application/trickle-ice-sdpfrag"
CANDIDATE = "a=mid:0\r\na=candidate:1 1 udp 2113937151 127.0.0.1 9 typ host\r\n"
ELSEWHERE = {"Origin": "https://elsewhere.example"}
TOKEN = "s3cret"


async def ask(method: str, url: str, **options) -> aiohttp.ClientResponse:
    """The response to a request, its body read."""
    async with aiohttp.ClientSession() as http, http.request(method, url, **options) as response:
        await response.read()
        return response


async def patch(url: str, **headers: str) -> int:
    headers = {"Content-Type": FRAGMENT, **headers}
    return (await ask("PATCH", url, data=CANDIDATE, headers=headers)).status


async def test_candidates_are_taken_for_the_ice_session_that_there_is(start_server, callers):
    url = await start_server()
    speaker, viewer = callers(url), callers(url)
    await speaker.publish()
    await viewer.view()
    for caller in (speaker, viewer):
        session = url + caller.location
        assert await patch(session, **{"If-Match": caller.etag}) == 204
        assert await patch(session, **{"If-Match": f'"other", {caller.etag}'}) == 204
        assert await patch(session) == 428
        assert await patch(session, **{"If-Match": '"other"'}) == 412
        assert await patch(session, **{"If-Match": "*"}) == 422
        assert (
            await patch(session, **{"If-Match": caller.etag, "Content-Type": "text/plain"}) == 415
        )
    assert speaker.etag != viewer.etag
    await until(lambda: len(viewer.seen) > 10)


async def test_a_session_is_deleted_whatever_the_entity_tag_and_only_once(start_server, callers):
    url = await start_server()
    speaker = callers(url)
    await speaker.publish()
    await until(lambda: speaker.connection.connectionState == "connected")
    session = url + speaker.location
    assert (await ask("DELETE", session, headers={"If-Match": '"other"'})).status == 200
    assert (await ask("DELETE", session)).status == 404
    assert await patch(session, **{"If-Match": speaker.etag}) == 404
    await until(lambda: speaker.connection.connectionState == "closed")


async def test_the_servers_that_help_to_connect_are_linked(start_server, callers):
    servers = (
        ice_server("stun:127.0.0.1:9"),
        ice_server("turn:127.0.0.1:9?transport=tcp", 'so"me', "s:e/c@r;e,t\\"),
    )
    speaker = callers(await start_server(ice=IceSettings(servers)))
    await speaker.publish()
    stun, turn = speaker.response.headers.getall("Link")
    assert stun == '<stun:127.0.0.1:9>; rel="ice-server"'
    assert turn == (
        '<turn:127.0.0.1:9?transport=tcp>; rel="ice-server"; username="so\\"me"; '
        'credential="s:e/c@r;e,t\\\\"; credential-type="password"'
    )


async def test_our_own_publisher_reads_the_links_as_they_were_meant(start_server, callers):
    servers = (ice_server("stun:127.0.0.1:9"), ice_server("turn:127.0.0.1:9", "some", "s:e/c@r e"))
    speaker = callers(await start_server(ice=IceSettings(servers)))
    await speaker.publish()
    assert tuple(ice_servers_of(speaker.response)) == servers


PATHS = [("/whip", "POST"), ("/whep", "POST"), ("/whep/x", "POST"), ("/whip/x", "PATCH, DELETE")]


@pytest.mark.parametrize(("path", "methods"), PATHS)
async def test_other_methods_are_kept_for_the_future(start_server, path, methods):
    url = await start_server()
    for method in {"GET", "HEAD", "PUT", "POST"} - set(methods.split(", ")):
        response = await ask(method, url + path)
        assert response.status == 405
        assert set(response.headers["Allow"].split(",")) == {*methods.split(", "), "OPTIONS"}


async def test_options_name_what_may_be_posted(start_server):
    response = await ask("OPTIONS", f"{await start_server()}/whip")
    assert (response.status, response.headers["Accept-Post"]) == (200, "application/sdp")


async def test_pages_of_other_sites_need_the_token_and_can_then_read_the_answer(start_server):
    url = await start_server(token=TOKEN)
    asked = await ask("OPTIONS", f"{url}/whip", headers=ELSEWHERE)
    assert asked.status == 200 and asked.headers["Access-Control-Allow-Origin"] == "*"
    assert {"Authorization", "If-Match"} <= set(
        asked.headers["Access-Control-Allow-Headers"].split(", ")
    )
    for headers, status in (({}, 401), ({"Authorization": f"Bearer {TOKEN}"}, 400)):
        headers = {"Content-Type": "application/sdp", **ELSEWHERE, **headers}
        response = await ask("POST", f"{url}/whip", data="v=0", headers=headers)
        assert response.status == status
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Location" in response.headers["Access-Control-Expose-Headers"]


async def test_without_a_token_pages_of_other_sites_are_refused_before_they_ask(start_server):
    url = await start_server()
    response = await ask("OPTIONS", f"{url}/whip", headers=ELSEWHERE)
    assert response.status == 403 and "Access-Control-Allow-Origin" not in response.headers


REFUSALS = [
    ("POST", "/whip", {"data": b"x", "headers": {"Content-Type": "text/plain"}}, 415),
    ("POST", "/whip", {"data": b"", "headers": {"Content-Type": "application/sdp"}}, 400),
    (
        "POST",
        "/whip",
        {"data": b"x" * 300_000, "headers": {"Content-Type": "application/sdp"}},
        413,
    ),
    ("POST", "/whep/nobody", {"data": b"v=0", "headers": {"Content-Type": "application/sdp"}}, 404),
    ("PATCH", "/whip/nobody", {"data": b"", "headers": {"Content-Type": FRAGMENT}}, 404),
    ("DELETE", "/whep/nobody/nothing", {}, 404),
]


@pytest.mark.parametrize(("method", "path", "options", "status"), REFUSALS)
async def test_what_cannot_be_is_refused_in_one_line(start_server, method, path, options, status):
    got, body = await request(method, await start_server() + path, **options)
    assert got == status and body["error"] and "\n" not in body["error"]
