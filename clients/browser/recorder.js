// Records the received picture and voice into a file that the browser downloads.

const TYPES = ["video/mp4;codecs=avc1.42E01E,mp4a.40.2", "video/webm;codecs=vp8,opus", "video/webm"];

export class CallRecorder {
  #recorder = null;
  #parts = [];

  get running() {
    return this.#recorder !== null;
  }

  /** Start; throws where the browser cannot record. `onTime` gets "m:ss" every second. */
  start(stream, onTime) {
    const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    this.#parts = [];
    this.#recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond: 4_000_000 });
    this.#recorder.ondataavailable = ({ data }) => this.#parts.push(data);
    this.#recorder.onstop = () => this.#save(mimeType);
    this.#recorder.start(1000);
    const begun = performance.now();
    this.timer = setInterval(() => onTime(clock((performance.now() - begun) / 1000)), 500);
  }

  stop() {
    clearInterval(this.timer);
    if (this.#recorder?.state === "recording") this.#recorder.stop();
    this.#recorder = null;
  }

  #save(mimeType) {
    const blob = new Blob(this.#parts, { type: mimeType });
    const link = document.createElement("a");
    const time = new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-");
    link.href = URL.createObjectURL(blob);
    link.download = `avatar-${time}.${mimeType.includes("mp4") ? "mp4" : "webm"}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }
}

function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}
