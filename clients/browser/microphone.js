// The microphone: which one, with or without echo cancellation, and how loud it is.

const FLOOR_DB = -60;
const EVERY_MS = 50;

/** Why the microphone cannot be had, in one line for the user. */
export function reasonOf(error) {
  if (!window.isSecureContext) {
    return "Browsers give the microphone only to https or localhost. Open this page over https, or on the machine itself.";
  }
  const reasons = {
    NotAllowedError: "The microphone was refused. Allow it in the address bar, then start again.",
    NotFoundError: "No microphone was found. Plug one in, then start again.",
    NotReadableError: "Another program holds the microphone.",
    OverconstrainedError: "That microphone is gone. Choose another one.",
  };
  return reasons[error.name] ?? `The microphone cannot be used: ${error.message}`;
}

/** Open a microphone; throws what the browser throws, or TypeError where there is no secure context. */
export function openMicrophone({ deviceId, echoCancellation }) {
  if (!navigator.mediaDevices) throw new TypeError("no secure context");
  return navigator.mediaDevices.getUserMedia({
    audio: {
      deviceId: deviceId ? { exact: deviceId } : undefined,
      echoCancellation, noiseSuppression: echoCancellation, autoGainControl: true, channelCount: 1,
    },
  });
}

/** Fill a <select> with the microphones; their names are known once the user has allowed one. */
export async function listMicrophones(select, chosen) {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const inputs = devices.filter((d) => d.kind === "audioinput" && d.deviceId && d.deviceId !== "default");
  const named = inputs.map((d, i) => new Option(d.label || `Microphone ${i + 1}`, d.deviceId));
  select.replaceChildren(new Option("Default", ""), ...named);
  select.value = inputs.some((d) => d.deviceId === chosen) ? chosen : "";
}

/** A level meter of a stream's sound, drawn as a row of bars. */
export class LevelMeter {
  #samples = new Float32Array(1024);
  #timer = 0;
  #shown = 0;

  constructor(canvas, output) {
    this.canvas = canvas;
    this.output = output;
    this.#draw(0);
  }

  /** Show the level of `source`, a node of the audio graph. */
  start(source) {
    this.stop();
    this.analyser = new AnalyserNode(source.context, { fftSize: 1024 });
    source.connect(this.analyser);
    this.#timer = setInterval(() => this.#measure(), EVERY_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.analyser?.disconnect();
    this.analyser = null;
    this.output.textContent = "off";
    this.#draw(0);
  }

  #measure() {
    this.analyser.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, x) => sum + x * x, 0) / this.#samples.length;
    const db = 10 * Math.log10(power + 1e-9);
    const level = Math.min(1, Math.max(0, 1 - db / FLOOR_DB));
    this.#shown = Math.max(level, this.#shown - 0.05);
    this.output.textContent = db > FLOOR_DB ? `${db.toFixed(0)} dB` : "silence";
    this.#draw(this.#shown);
  }

  #draw(level) {
    const { canvas } = this;
    const scale = devicePixelRatio || 1;
    const width = canvas.clientWidth * scale;
    const height = 10 * scale;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, width, height);
    const step = 6 * scale;
    const bars = Math.floor(width / step);
    for (let i = 0; i < bars; i++) {
      pen.fillStyle = i < level * bars ? "#ff9a6b" : "#2a2d31";
      pen.beginPath();
      pen.roundRect(i * step, 0, 3 * scale, height, 1.5 * scale);
      pen.fill();
    }
  }
}
