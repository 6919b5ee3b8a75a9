"""Who may ask what, without any media."""

from __future__ import annotations

import aiohttp
import pytest

from streaming.ice import candidates_of, gather_on, with_shared_candidates, without_mdns
from tests.streaming.caller import request

TOKEN = "s3cret"
PROTECTED = [
    ("POST", "/offer"),
    ("POST", "/whip"),
    ("POST", "/whep"),
    ("GET", "/api/v1/avatar"),
    ("GET", "/metrics"),
    ("DELETE", "/whip/x"),
]


@pytest.mark.parametrize(("method", "path"), PROTECTED)
async def test_with_a_token_configured_nobody_gets_in_without_it(start_server, method, path):
    url = await start_server(token=TOKEN)
    for options in ({}, {"headers": {"Authorization": "Bearer wrong"}}, {"params": {"token": "é"}}):
        status, body = await request(method, url + path, **options)
        assert status == 401 and "token" in body["error"]


@pytest.mark.parametrize(
    "options", [{"headers": {"Authorization": f"Bearer {TOKEN}"}}, {"params": {"token": TOKEN}}]
)
async def test_the_token_lets_in_as_header_or_in_the_address(start_server, options):
    url = await start_server(token=TOKEN)
    assert (await request("GET", f"{url}/api/v1/avatar", **options))[0] == 200


async def test_health_is_open_to_all(start_server):
    url = await start_server(token=TOKEN)
    assert await request("GET", f"{url}/healthz") == (200, {"status": "ok"})
    ready = {"status": "ready", "active_sessions": 0, "max_sessions": 4}
    assert await request("GET", f"{url}/readyz") == (200, ready)


async def test_the_page_is_served_and_nothing_beside_it(start_server, tmp_path):
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("<h1>hello</h1>")
    (page / "app.js").write_text("1")
    (tmp_path / "secret").write_text("no")
    url = await start_server(page=page, token=TOKEN)
    async with aiohttp.ClientSession() as http:
        for path, kind in (("/", "html"), ("/app.js", "javascript")):
            async with http.get(url + path) as response:
                assert response.status == 200 and response.content_type.endswith(kind)
        for path in ("/../secret", "/%2e%2e/secret", "/secret", "//etc/passwd"):
            async with http.get(aiohttp.client.URL(url + path, encoded=True)) as response:
                assert response.status in (401, 404)


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example:8080"}]
)
async def test_other_web_sites_cannot_command_a_loopback_server(start_server, headers):
    url = await start_server()
    for method, path in PROTECTED:
        status, body = await request(method, url + path, headers=headers)
        assert status == 403 and body["error"]


async def test_the_own_page_can(start_server):
    url = await start_server()
    assert (await request("GET", f"{url}/api/v1/avatar", headers={"Origin": url}))[0] == 200


async def test_the_avatar_describes_itself(start_server):
    _, body = await request("GET", f"{await start_server()}/api/v1/avatar")
    assert body["model"] == "meter" and body["size"] == 256 and body["lookahead_ms"] == 80
    assert body["emotions"] == ["neutral", "happy"] and body["sessions"] == {"active": 0, "max": 4}


def test_mdns_candidates_are_dropped_and_others_kept():
    line = "a=candidate:1 1 udp 2113937151 {} 51000 typ host generation 0\r\n"
    sdp = "v=0\r\n" + line.format("4b6f-12.local") + line.format("127.0.0.1") + "a=mid:0\r\n"
    assert without_mdns(sdp) == "v=0\r\n" + line.format("127.0.0.1") + "a=mid:0\r\n"


def test_candidates_of_bundled_media_are_in_every_section():
    line = "a=candidate:1 1 udp 2113937151 192.0.2.1 51000 typ host\r\n"
    sdp = "v=0\r\nm=audio 9\r\n{}a=mid:0\r\nm=video 9\r\na=mid:1\r\n{}"
    assert with_shared_candidates(sdp.format(line, "")) == sdp.format(line, line)
    assert with_shared_candidates(sdp.format(line, line)) == sdp.format(line, line)
    assert with_shared_candidates("garbage\r\n") == "garbage\r\n"


def test_trickled_candidates_are_read_with_their_mid():
    fragment = (
        "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
        "m=audio 9 RTP/AVP 0\r\na=mid:3\r\n"
        "a=candidate:1 1 udp 2113937151 192.0.2.1 51000 typ host\r\na=end-of-candidates\r\n"
    )
    (candidate,) = candidates_of(fragment)
    assert (candidate.ip, candidate.port, candidate.sdpMid) == ("192.0.2.1", 51000, "3")
    with pytest.raises(ValueError, match="nonsense"):
        candidates_of("a=candidate:nonsense")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", ["127.0.0.1"]), ("localhost", ["127.0.0.1"]), ("192.0.2.7", ["192.0.2.7"])],
)
def test_only_the_bound_address_is_offered(host, expected):
    import aioice.ice

    gather_on(host)
    assert aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True) == expected
    gather_on("0.0.0.0")
    assert "127.0.0.1" in aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True)
