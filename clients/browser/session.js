// Start, stop and reconnect: the life of calls, without knowing what the page looks like.

import { Call } from "./call.js";
import { Refused } from "./api.js";
import { openMicrophone, reasonOf } from "./microphone.js";
import { stopTracks } from "./tracks.js";

const BACK_OFF_S = [1, 2, 4, 8, 15];

/**
 * Dispatches `state` (detail "idle" | "connecting" | "live" | "waiting"), `microphone` (MediaStream),
 * `stream` (MediaStream), `stats`, `open` (a call is up), `close` (it is over), and `problem` (a line).
 */
export class Session extends EventTarget {
  state = "idle";
  call = null;
  microphone = null;
  #failures = 0;
  #timer = 0;
  #attempt = 0;

  /** `voice()` gives the microphone options {deviceId, echoCancellation} of the moment. */
  constructor(voice) {
    super();
    this.voice = voice;
    addEventListener("pagehide", () => this.stop());
    addEventListener("online", () => this.state === "waiting" && this.#connect());
  }

  async start() {
    if (this.state !== "idle") return;
    this.#failures = 0;
    const attempt = ++this.#attempt;
    this.#enter("connecting");
    const microphone = await this.#openMicrophone();
    if (attempt !== this.#attempt) return stopTracks(microphone);
    if (!microphone) return this.stop();
    this.#setMicrophone(microphone);
    await this.#connect();
  }

  stop() {
    this.#attempt++;
    clearTimeout(this.#timer);
    this.#hangUp();
    stopTracks(this.microphone);
    this.microphone = null;
    this.#enter("idle");
  }

  /** Take up a changed microphone choice in the running call. */
  async changeMicrophone() {
    if (!this.microphone) return;
    const microphone = await this.#openMicrophone();
    if (!microphone || !this.microphone) return stopTracks(microphone);
    stopTracks(this.microphone);
    this.#setMicrophone(microphone);
    await this.call?.replaceMicrophone(microphone);
  }

  async #openMicrophone() {
    try {
      return await openMicrophone(this.voice());
    } catch (error) {
      this.#tell("problem", reasonOf(error));
      return null;
    }
  }

  #setMicrophone(microphone) {
    this.microphone = microphone;
    microphone.getAudioTracks()[0].onended = () => {
      this.#tell("problem", "The microphone was unplugged.");
      this.stop();
    };
    this.#tell("microphone", microphone);
  }

  async #connect() {
    clearTimeout(this.#timer);
    this.#enter("connecting");
    const attempt = this.#attempt;
    const call = new Call();
    this.call = call;
    for (const name of ["stream", "stats"]) {
      call.addEventListener(name, ({ detail }) => this.call === call && this.#tell(name, detail));
    }
    call.addEventListener("refused", ({ detail }) => this.#tell("problem", detail));
    call.addEventListener("lost", () => this.#retry());
    try {
      await call.open(this.microphone);
    } catch (error) {
      if (attempt === this.#attempt) this.#fail(error);
      return;
    }
    this.#failures = 0;
    this.#enter("live");
    this.#tell("open", call);
  }

  /** A refusal of the server is final, a missing answer is tried again. */
  #fail(error) {
    this.#hangUp();
    if (error instanceof Refused && error.status === 0) return this.#retry();
    this.#tell("problem", error.message);
    this.stop();
  }

  #retry() {
    this.#hangUp();
    const seconds = BACK_OFF_S[Math.min(this.#failures++, BACK_OFF_S.length - 1)];
    this.#timer = setTimeout(() => this.#connect(), seconds * 1000);
    this.#enter("waiting", seconds);
  }

  #hangUp() {
    if (!this.call) return;
    this.call.close();
    this.call = null;
    this.#tell("close");
  }

  #enter(state, seconds) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, seconds } }));
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
