// Shows the figures of a call: numbers, a line of delays, and where the time goes.

const POINTS = 60;
const MEASURED =
  "Measured: your voice compared with the voice that comes back, from the browser's microphone to its sound output, " +
  "plus how much later the lips are shown. The sound card and the screen are not in it.";
const ESTIMATED = "Added up until you have spoken for some seconds: ";

const $ = (id) => document.getElementById(id);

export class Hud {
  #delays = [];

  constructor() {
    addEventListener("resize", () => this.#drawTrace());
    this.clear();
  }

  clear() {
    this.#delays = [];
    for (const id of ["fps", "delay", "skew", "dropped", "chip-fps", "chip-delay"]) $(id).textContent = "–";
    $("delay-source").textContent = "";
    $("fine").textContent = "Figures appear with the call.";
    this.#drawTrace();
  }

  /** Show one reading of `Figures`, and the server's own statistics where they are there. */
  show({ fps, delay, measured, parts, skew, dropped }, server) {
    const whole = (value) => (value === null || value === undefined ? "–" : Math.round(value).toString());
    $("fps").textContent = $("chip-fps").textContent = fps.toFixed(1);
    $("delay").textContent = $("chip-delay").textContent = whole(delay);
    $("skew").textContent = skew === null ? "–" : Math.round(skew).toString().replace("-", "−");
    $("dropped").textContent = dropped;
    $("delay-source").textContent = delay === null ? "" : measured ? "delay measured" : "delay estimated";
    $("delay-box").title = measured ? MEASURED : ESTIMATED + listed(parts);
    if (server) $("fine").textContent = serverLine(server);
    if (delay !== null) this.#delays = [...this.#delays, delay].slice(-POINTS);
    this.#drawTrace();
  }

  #drawTrace() {
    const canvas = $("trace");
    const scale = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth * scale, canvas.clientHeight * scale];
    Object.assign(canvas, { width, height });
    const pen = canvas.getContext("2d");
    pen.strokeStyle = "#26292d";
    pen.strokeRect(-1, height - scale, width + 2, 0);
    if (this.#delays.length < 2) return;
    const top = Math.max(300, ...this.#delays) * 1.1;
    const x = (i) => (width * (i + POINTS - this.#delays.length)) / (POINTS - 1);
    const y = (delay) => height - scale - (delay / top) * (height - 2 * scale);
    pen.beginPath();
    this.#delays.forEach((delay, i) => pen.lineTo(x(i), y(delay)));
    pen.lineWidth = 1.6 * scale;
    pen.lineJoin = "round";
    pen.strokeStyle = "#ff9a6b";
    pen.stroke();
    pen.lineTo(width, height);
    pen.lineTo(x(0), height);
    pen.fillStyle = "rgb(255 154 107 / 12%)";
    pen.fill();
  }
}

function listed(parts) {
  return parts ? Object.entries(parts).map(([name, ms]) => `${name} ${Math.round(ms)}`).join(" + ") + " ms" : "";
}

function serverLine({ fps, step_ms_p50: step, late_steps: late, concealed_ms: concealed }) {
  return `Server: ${fps.toFixed(1)} fps, ${step.toFixed(1)} ms a picture, ${late} late, ${concealed} ms of sound filled in.`;
}
