// The figures of a running call, from the video element, the browser's statistics and the server's.

const WINDOW_MS = 2000;
const PACKET_MS = 20;
const STEP_MS = 40;
const KEPT = 5;

/** Collects; `read()` once a second gives {fps, delay, measured, skew, dropped, parts}. */
export class Figures {
  #shown = [];
  #waits = [];
  #skews = [];
  #running = true;
  server = null;

  constructor(call, video, roundTrip) {
    this.call = call;
    this.video = video;
    this.roundTrip = roundTrip;
    this.#watch();
  }

  stop() {
    this.#running = false;
  }

  /** Every shown picture: when, and how long it waited here between its arrival and its display. */
  #watch() {
    this.video.requestVideoFrameCallback?.((now, picture) => {
      if (!this.#running) return;
      this.#shown = [...this.#shown.filter((time) => now - time < WINDOW_MS), now];
      const wait = picture.expectedDisplayTime - picture.receiveTime;
      if (Number.isFinite(wait)) this.#waits = [...this.#waits.slice(-49), wait];
      this.#watch();
    });
  }

  get fps() {
    const now = performance.now();
    const recent = this.#shown.filter((time) => now - time < WINDOW_MS);
    const span = recent.at(-1) - recent[0];
    return recent.length > 1 ? ((recent.length - 1) * 1000) / Math.max(span, now - recent[0] - STEP_MS) : 0;
  }

  async read() {
    const inbound = await inboundOf(this.call.peer);
    this.#note(inbound);
    const skew = this.#skews.length ? median(this.#skews) : null;
    const parts = this.#parts();
    const voice = this.roundTrip.measure();
    const guess = parts && Object.values(parts).reduce((a, b) => a + b, 0);
    return {
      fps: this.fps,
      delay: voice === null ? guess : voice + this.roundTrip.outputMs + (skew ?? 0),
      measured: voice !== null,
      parts,
      skew,
      dropped: (this.server?.dropped_pictures ?? 0) + (inbound.video?.framesDropped ?? 0),
    };
  }

  /** How far the shown picture lags behind the played sound, both on the sender's clock. */
  #note({ audio, video }) {
    const skew = audio?.estimatedPlayoutTimestamp - video?.estimatedPlayoutTimestamp;
    if (Number.isFinite(skew) && Math.abs(skew) < 2000) this.#skews = [...this.#skews, skew].slice(-KEPT);
  }

  /** The stages of the way that can be known without hearing our voice again, in ms. */
  #parts() {
    if (!this.server || this.call.roundTripMs === null || !this.#waits.length) return null;
    return {
      "sound packet": PACKET_MS,
      network: this.call.roundTripMs,
      lookahead: this.server.lookahead_ms,
      face: this.server.step_ms_p50 ?? 0,
      "buffer and display": median(this.#waits),
    };
  }
}

async function inboundOf(peer) {
  const found = {};
  for (const report of (await peer.getStats()).values()) {
    if (report.type === "inbound-rtp") found[report.kind] = report;
  }
  return found;
}

function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
