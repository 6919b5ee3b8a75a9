// How long the browser holds pictures back. On a network that loses packets they have to be sent
// again; a browser that does not wait for them shows pictures late and in heaps, or not at all.

const LOSSY_MS = 200; // asking again, the way back, and the next try
const MOST_ASKED = 1; // packets a second that are asked for again on a good network

/** Looked at once a second; a lossless second lets the pictures come at once again. */
export class Patience {
  #asked = 0;

  /** `receiver` is the RTCRtpReceiver of the picture. */
  constructor(receiver) {
    this.receiver = receiver;
  }

  async look() {
    const reports = [...(await this.receiver.getStats()).values()];
    const asked = reports.find(({ type }) => type === "inbound-rtp")?.nackCount ?? 0;
    this.receiver.jitterBufferTarget = asked - this.#asked > MOST_ASKED ? LOSSY_MS : null;
    this.#asked = asked;
  }
}
