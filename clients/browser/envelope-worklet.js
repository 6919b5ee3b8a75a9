// Loudness of two sounds, the microphone and the returned voice, every 10 ms on one clock.

const BLOCKS_A_SECOND = 100;
const BATCH = 10;

class Envelope extends AudioWorkletProcessor {
  #energy = [0, 0];
  #count = 0;
  #size = Math.round(sampleRate / BLOCKS_A_SECOND);
  #batch = [];

  process(inputs) {
    for (let i = 0; i < 128; i++) {
      inputs.forEach((channels, n) => {
        const x = channels[0]?.[i] ?? 0;
        this.#energy[n] += x * x;
      });
      if (++this.#count === this.#size) this.#finish();
    }
    return true;
  }

  #finish() {
    this.#batch.push(this.#energy.map((sum) => 10 * Math.log10(sum / this.#size + 1e-7)));
    this.#energy = [0, 0];
    this.#count = 0;
    if (this.#batch.length === BATCH) {
      this.port.postMessage(this.#batch);
      this.#batch = [];
    }
  }
}

registerProcessor("envelope", Envelope);
