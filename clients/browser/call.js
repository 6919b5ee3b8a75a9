// One WebRTC call: our microphone goes up, the avatar's picture and our delayed voice come down.

import { Refused, request } from "./api.js";
import { Patience } from "./patience.js";

const CONNECT_MS = 15000;
const GATHER_MS = 1500;
const LOOK_MS = 1000;
const CAMERA_LIMITS = { maxBitrate: 300_000, maxFramerate: 12 };

/**
 * Dispatches `stream` (detail: MediaStream), `stats` (the server's message), `refused` (its reason
 * for a control message) and `lost` (the connection broke; never after `close`).
 */
export class Call extends EventTarget {
  session = null;
  roundTripMs = null;
  #closed = false;
  #timer = 0;
  #turn = Promise.resolve(); // camera negotiations, one after another

  /** Connect with the sound of `microphone`, a MediaStream; throws Refused. */
  async open(microphone) {
    const ice = await request("GET", "api/v1/ice");
    if (this.#closed) return;
    this.peer = new RTCPeerConnection({ ...ice, bundlePolicy: "max-bundle" });
    this.peer.addTransceiver(microphone.getAudioTracks()[0], { direction: "sendrecv", streams: [microphone] });
    this.picture = this.peer.addTransceiver("video", { direction: "recvonly", sendEncodings: [CAMERA_LIMITS] });
    this.channel = this.peer.createDataChannel("control");
    this.channel.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    this.#receive();
    const answer = await this.#offer("offer");
    this.session = answer.session;
    if (this.#closed) return this.#leave();
    await this.peer.setRemoteDescription(answer);
    await this.#connected();
    const patience = new Patience(this.picture.receiver);
    this.#timer = setInterval(() => {
      this.#ping();
      patience.look();
    }, LOOK_MS);
  }

  /** Send a control message; without an open channel nothing happens. */
  control(message) {
    if (this.channel?.readyState === "open") this.channel.send(JSON.stringify(message));
  }

  /** Hand over an image file as the new portrait; throws Refused with the server's reason. */
  async setPortrait(file) {
    const type = file.type || "application/octet-stream";
    await request("PUT", `api/v1/sessions/${this.session}/portrait`, { body: file, type });
  }

  /** Replace what we send, without a new call. */
  async replaceMicrophone(microphone) {
    await this.peer.getSenders()[0].replaceTrack(microphone.getAudioTracks()[0]);
  }

  /**
   * Send a camera's track, or null for none; the server sees it while the pose source is "camera".
   * A sender without a track may not stay: Chromium would report through it, that is never, what the
   * network can carry. Throws Refused.
   */
  sendCamera(track) {
    this.#turn = this.#turn.catch(() => {}).then(() => this.#negotiateCamera(track));
    return this.#turn;
  }

  async #negotiateCamera(track) {
    if (this.#closed) return;
    try {
      this.picture.direction = track ? "sendrecv" : "recvonly";
      await this.picture.sender.replaceTrack(track);
      await this.peer.setRemoteDescription(await this.#offer(`api/v1/sessions/${this.session}/offer`));
    } catch (error) {
      if (!this.#closed) throw error;
    }
  }

  /** Offer what we have now and return the server's answer. */
  async #offer(path) {
    await this.peer.setLocalDescription();
    await gathered(this.peer);
    const { sdp, type } = this.peer.localDescription;
    return request("POST", path, { json: { sdp, type } });
  }

  /** Leave; safe to call twice and before `open` is done. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#leave().finally(() => this.peer?.close());
  }

  async #leave() {
    if (!this.session) return;
    const path = `api/v1/sessions/${this.session}`;
    this.session = null;
    await request("DELETE", path, { keepalive: true }).catch(() => {});
  }

  #receive() {
    const stream = new MediaStream();
    this.peer.ontrack = ({ track }) => {
      stream.addTrack(track);
      if (stream.getTracks().length === 2) this.#tell("stream", stream);
    };
    this.peer.onconnectionstatechange = () => {
      if (["failed", "disconnected"].includes(this.peer.connectionState)) this.#lose();
    };
    this.channel.onclose = () => this.#lose();
  }

  #lose() {
    if (this.#closed || !this.#timer) return;
    this.close();
    this.#tell("lost");
  }

  async #connected() {
    const end = performance.now() + CONNECT_MS;
    while (this.peer.connectionState !== "connected" || this.channel.readyState !== "open") {
      if (this.#closed) throw new Refused("Stopped.");
      if (this.peer.connectionState === "failed" || performance.now() > end) {
        throw new Refused("The server answered, but no media connection came up. A firewall may block UDP.");
      }
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  #ping() {
    this.control({ type: "ping", t: performance.now() });
  }

  #hear(message) {
    if (message.type === "stats") this.#tell("stats", message);
    else if (typeof message.t === "number") this.roundTripMs = performance.now() - message.t;
    else if (message.ok === false) this.#tell("refused", message.error);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function gathered(peer) {
  return new Promise((done) => {
    if (peer.iceGatheringState === "complete") return done();
    peer.addEventListener("icegatheringstatechange", () => peer.iceGatheringState === "complete" && done());
    setTimeout(done, GATHER_MS);
  });
}
