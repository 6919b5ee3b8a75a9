// The caller's own camera, off until switched on: the server reads head turns from it.

import { stopTracks } from "./tracks.js";

const SIDE = { width: { ideal: 320 }, height: { ideal: 240 }, frameRate: { ideal: 15 } };
const OFF = "Off: no picture of you is taken. On: the server reads how you hold your head and keeps no picture.";
const ON = "On: the server sees you, 12 small pictures a second, and reads how you hold your head. It keeps none.";
const UNSEEN = "On, but no face is found in your camera's picture; the head moves by itself.";

/** Why the camera cannot be had, in one line for the user. */
function reasonOf(error) {
  const reasons = {
    NotAllowedError: "The camera was refused. Allow it in the address bar, then switch it on again.",
    NotFoundError: "No camera was found.",
    NotReadableError: "Another program holds the camera.",
  };
  return reasons[error.name] ?? `The camera cannot be used: ${error.message}`;
}

/** A switch and the line that says what it does. Dispatches `change` (detail: on) and `problem` (a line). */
export class HeadCamera extends EventTarget {
  on = false;
  #call = null;
  #stream = null;
  #looked = { pictures: 0, faces: 0 };

  constructor(box, note) {
    super();
    this.box = box;
    this.note = note;
    box.addEventListener("change", () => this.set(box.checked));
    this.#show(OFF);
  }

  /** Send to a call that has come up, if switched on; null where no call is. */
  attach(call) {
    this.#call = call;
    this.box.disabled = !call;
    this.#looked = { pictures: 0, faces: 0 };
    if (this.#stream) this.#send(this.#stream.getVideoTracks()[0]);
  }

  /** Switch on or off; without a camera it stays off. */
  async set(on) {
    if (on === this.on) return;
    this.on = on;
    if (on) await this.#open();
    else this.#close();
  }

  /** What the server says once a second. */
  hear({ camera_pictures: pictures = 0, camera_faces: faces = 0 }) {
    if (!this.on) return;
    const looked = pictures - this.#looked.pictures;
    if (looked > 0) this.#show(faces > this.#looked.faces ? ON : UNSEEN);
    this.#looked = { pictures, faces };
  }

  async #open() {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: SIDE });
    } catch (error) {
      this.on = false;
      this.#show(OFF);
      return this.#tell("problem", reasonOf(error));
    }
    if (!this.on) return stopTracks(stream);
    this.#stream = stream;
    const [track] = stream.getVideoTracks();
    track.onended = () => this.set(false);
    this.#show(ON);
    this.#send(track);
    this.#tell("change", true);
  }

  #close() {
    stopTracks(this.#stream);
    this.#stream = null;
    this.#show(OFF);
    this.#send(null);
    this.#tell("change", false);
  }

  async #send(track) {
    try {
      await this.#call?.sendCamera(track);
    } catch (error) {
      this.#tell("problem", error.message);
    }
  }

  #show(line) {
    this.box.checked = this.on;
    this.note.textContent = line;
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
