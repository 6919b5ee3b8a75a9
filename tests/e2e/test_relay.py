"""The page, a real browser, the real server, and nothing between them but a real coturn."""

import pytest

from tests.coturn import needs_coturn, running_coturn
from tests.e2e.conftest import serving
from tests.e2e.test_browser import CHROMIUM, browsing, connect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]
WATCH_PEERS = """
    const Peer = RTCPeerConnection;
    window.RTCPeerConnection = class extends Peer {
      constructor(...rest) { super(...rest); window.lastPeer = this; }
    };
"""
SELECTED_PAIR = """
    async () => {
      const stats = await window.lastPeer.getStats();
      const pair = [...stats.values()].find((s) => s.type === "candidate-pair" && s.nominated);
      return [stats.get(pair.localCandidateId), stats.get(pair.remoteCandidateId)];
    }
"""


@needs_coturn
async def test_a_call_of_the_page_goes_through_the_turn_server_only(tmp_path, speech_with_pauses):
    with running_coturn(tmp_path) as coturn:
        flags = ["--ice-server", f"turn:{coturn.address}", "--ice-policy", "relay"]
        with serving(tmp_path, *flags, env=coturn.environment) as address:
            async with browsing(address, speech_with_pauses) as page:
                await page.add_init_script(WATCH_PEERS)
                await page.reload()
                await connect(page)
                await page.wait_for_timeout(5000)
                ends = await page.evaluate(SELECTED_PAIR)
                figures = await page.evaluate("window.__avatar")
    assert [end["candidateType"] for end in ends] == ["relay", "relay"]
    assert figures["fps"] >= 20
