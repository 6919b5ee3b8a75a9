// How long our own voice takes to come back, measured by comparing the two loudness curves.

export const BLOCK_MS = 10;
const KEPT = 600;
const LONGEST = 100;
const LEAST_SWING_DB = 6;
const LEAST_LIKENESS = 0.75;

/**
 * The lag in blocks at which `back` follows `mic`, with parts of a block; null where `mic` hardly
 * changes or nothing in `back` is like it.
 */
export function lagOf(mic, back) {
  const length = mic.length - LONGEST;
  if (length < LONGEST) return null;
  const said = centred(mic.slice(0, length));
  if (said.norm / Math.sqrt(length) < LEAST_SWING_DB) return null;
  const likeness = [];
  for (let lag = 0; lag <= LONGEST; lag++) {
    const heard = centred(back.slice(lag, lag + length));
    likeness.push(dot(said.values, heard.values) / (said.norm * heard.norm + 1e-9));
  }
  const best = likeness.indexOf(Math.max(...likeness));
  if (likeness[best] < LEAST_LIKENESS) return null;
  return best + peakBetween(likeness[best - 1], likeness[best], likeness[best + 1]);
}

function centred(values) {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const moved = values.map((x) => x - mean);
  return { values: moved, norm: Math.sqrt(dot(moved, moved)) };
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** Where a parabola through three values has its top, -0.5 .. 0.5 from the middle one. */
function peakBetween(before, top, after) {
  if (before === undefined || after === undefined) return 0;
  const bend = before - 2 * top + after;
  return bend < 0 ? (0.5 * (before - after)) / bend : 0;
}

/** Listens to the microphone and to the returned voice on one clock. */
export class VoiceRoundTrip {
  #mic = [];
  #back = [];

  async start(microphone, returned) {
    const { context } = microphone;
    await context.audioWorklet.addModule("envelope-worklet.js");
    this.node = new AudioWorkletNode(context, "envelope", { numberOfInputs: 2, numberOfOutputs: 0 });
    this.node.port.onmessage = ({ data }) => this.#keep(data);
    microphone.connect(this.node, 0, 0);
    returned.connect(this.node, 0, 1);
  }

  stop() {
    if (this.node) this.node.port.onmessage = null;
    this.node?.port.close();
    this.node = null;
  }

  /** The way from the audio graph, where both sounds are compared, to the sound output. */
  get outputMs() {
    return (this.node?.context.outputLatency ?? 0) * 1000;
  }

  /** The delay between the two sounds in the audio graph in ms, null where too little was said. */
  measure() {
    const lag = lagOf(this.#mic, this.#back);
    return lag === null ? null : lag * BLOCK_MS;
  }

  #keep(batch) {
    for (const [mic, back] of batch) {
      this.#mic.push(mic);
      this.#back.push(back);
    }
    this.#mic = this.#mic.slice(-KEPT);
    this.#back = this.#back.slice(-KEPT);
  }
}
