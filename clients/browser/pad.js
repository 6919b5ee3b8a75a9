// The emotion pad: a puck on a disc, named emotions around it, neutral in the centre.

import { around, placeOf, weightsAt } from "./emotions.js";

const RADIUS = 62;
const LABEL = 1.24;
const STEP = 0.08;

const disc = `
<svg class="target" viewBox="-100 -100 200 200" tabindex="0" role="application"
     aria-label="Emotion pad: arrow keys move, Home is neutral">
  <defs><radialGradient id="light" gradientUnits="userSpaceOnUse" r="70">
    <stop offset="0" stop-color="#ff9a6b" stop-opacity=".42"/>
    <stop offset="1" stop-color="#ff9a6b" stop-opacity="0"/></radialGradient></defs>
  <circle class="disc" r="72"/><circle class="light" r="72"/>
  <circle class="ring" r="41"/><circle class="ring" r="20.5"/>
  <g class="pulls"></g>
  <circle class="puck" r="13"/><g class="face"><path class="mood"/></g>
</svg>`;

/** Dispatches `change`; `place` is the puck in the unit disc, `weights` what it stands for. */
export class EmotionPad extends EventTarget {
  place = { x: 0, y: 0 };
  names = [];

  constructor(root) {
    super();
    this.root = root;
    root.innerHTML = disc;
    this.svg = root.querySelector("svg");
    this.svg.addEventListener("pointerdown", (event) => this.#grab(event));
    this.svg.addEventListener("pointermove", (event) => this.#drag(event));
    for (const end of ["pointerup", "pointercancel"]) {
      this.svg.addEventListener(end, () => this.root.classList.remove("dragging"));
    }
    this.svg.addEventListener("dblclick", () => this.move({ x: 0, y: 0 }));
    this.svg.addEventListener("keydown", (event) => this.#key(event));
  }

  get weights() {
    return weightsAt(this.place, this.names);
  }

  /** Put the server's emotions around the disc. */
  setNames(names) {
    this.names = around(names);
    this.root.querySelectorAll("button").forEach((button) => button.remove());
    this.root.append(...this.names.map((name, i) => this.#label(name, placeOf(i, this.names.length))));
    this.#draw();
  }

  /** Where a name lies on the disc; the centre for neutral and for names that are not there. */
  placeOfName(name) {
    const i = this.names.indexOf(name);
    return i < 0 ? { x: 0, y: 0 } : placeOf(i, this.names.length);
  }

  /** Put the puck at a place, within the disc, and tell. */
  move({ x, y }) {
    const far = Math.max(1, Math.hypot(x, y));
    this.place = { x: x / far, y: y / far };
    this.#draw();
    this.dispatchEvent(new Event("change"));
  }

  #label(name, { x, y }) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: name });
    button.dataset.emotion = name;
    button.style.left = `${50 + (x * LABEL * RADIUS) / 2}%`;
    button.style.top = `${50 + (y * LABEL * RADIUS) / 2}%`;
    button.style.transform = `translate(${50 * x - 50}%, ${50 * y - 50}%)`;
    button.addEventListener("click", () => {
      const chosen = (this.weights[name] ?? 0) > 0.97;
      this.move(chosen ? { x: 0, y: 0 } : { x, y });
    });
    return button;
  }

  #grab(event) {
    this.svg.setPointerCapture(event.pointerId);
    this.root.classList.add("dragging");
    this.#drag(event);
  }

  #drag(event) {
    if (!this.root.classList.contains("dragging")) return;
    const box = this.svg.getBoundingClientRect();
    const unit = (box.width / 200) * RADIUS;
    this.move({
      x: (event.clientX - box.left - box.width / 2) / unit,
      y: (event.clientY - box.top - box.height / 2) / unit,
    });
  }

  #key(event) {
    const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    const by = moves[event.key];
    if (event.key === "Home") this.move({ x: 0, y: 0 });
    else if (by) this.move({ x: this.place.x + by[0], y: this.place.y + by[1] });
    else return;
    event.preventDefault();
  }

  #draw() {
    const { weights } = this;
    const [x, y] = [this.place.x * RADIUS, this.place.y * RADIUS];
    const light = this.svg.querySelector("#light");
    for (const [name, value] of Object.entries({ cx: x, cy: y, fx: x, fy: y })) light.setAttribute(name, value);
    this.svg.querySelector(".light").style.opacity = 0.35 + 0.65 * Math.hypot(this.place.x, this.place.y);
    this.svg.querySelector(".puck").setAttribute("transform", `translate(${x} ${y})`);
    this.svg.querySelector(".face").setAttribute("transform", `translate(${x} ${y})`);
    this.svg.querySelector(".mood").setAttribute("d", moodOf(weights));
    this.svg.querySelector(".pulls").innerHTML = this.names.map((name, i) => {
      const end = placeOf(i, this.names.length);
      const ends = `x1="${x}" y1="${y}" x2="${end.x * 72}" y2="${end.y * 72}"`;
      return weights[name] ? `<line class="pull" ${ends} opacity="${0.15 + 0.6 * weights[name]}"/>` : "";
    }).join("");
    for (const button of this.root.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", (weights[button.dataset.emotion] ?? 0) > 0.25);
    }
  }
}

/** A small face for the puck: the mouth's curve and the brows' slant follow the weights. */
function moodOf(weights) {
  const w = (name) => weights[name] ?? 0;
  const curve = 3.2 * (w("happy") - w("sad") - 0.6 * w("angry") - 0.7 * w("disgusted")) + 0.8 * (w("calm") + 0.5);
  const slant = 2 * (w("angry") + 0.6 * w("disgusted") - w("sad") - w("fear"));
  const open = 2.4 * w("surprised") + 1.2 * w("fear");
  const mouth = open > 0.5
    ? `M${-open} 4.4a${open} ${open} 0 1 0 ${2 * open} 0a${open} ${open} 0 1 0 ${-2 * open} 0`
    : `M-4.5 ${4 - curve / 3}Q0 ${4 + curve} 4.5 ${4 - curve / 3}`;
  return `M-5.4 ${-3.4 - slant / 2}L-2.6 ${-3.4 + slant / 2}M5.4 ${-3.4 - slant / 2}L2.6 ${-3.4 + slant / 2}${mouth}`;
}
