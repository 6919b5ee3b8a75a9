// Joins the page's parts. Read next: session.js (the life of a call), call.js (the wire), pad.js.

import { Refused, request } from "./api.js";
import { HeadCamera } from "./camera.js";
import { inWords } from "./emotions.js";
import { Figures } from "./figures.js";
import { Hud } from "./hud.js";
import { LevelMeter, listMicrophones } from "./microphone.js";
import { EmotionPad } from "./pad.js";
import { acceptPortraits } from "./portrait.js";
import { CallRecorder } from "./recorder.js";
import { VoiceRoundTrip } from "./round-trip.js";
import { Session } from "./session.js";
import * as memory from "./settings.js";

const EASE_MS = 160;
const SEND_EVERY_MS = 50;

const $ = (id) => document.getElementById(id);
const settings = memory.load();
let worn = "neutral"; // what the server wears from the start
let firstPose = "idle"; // and how it holds its head
const video = $("video");
const pad = new EmotionPad($("pad"));
const hud = new Hud();
const meter = new LevelMeter($("meter"), $("level-text"));
const camera = new HeadCamera($("camera"), $("camera-note"));
const recorder = new CallRecorder();
const session = new Session(() => ({ deviceId: settings.deviceId, echoCancellation: settings.echo }));

let sound = null; // AudioContext, from the first start on
let microphoneNode = null;
let figures = null;
let muted = false;
let portrait = null; // File that every new call is given
let ticker = 0;

window.__avatar = { state: "idle", fps: 0, delay: null, measured: false, dropped: 0, skew: null, session: null };

const words = {
  idle: ["Ready", "Start"],
  connecting: ["Connecting…", "Cancel"],
  live: ["Live", "Stop"],
  waiting: ["Reconnecting…", "Stop"],
};

function showState({ state, seconds }) {
  document.body.dataset.state = window.__avatar.state = state;
  const [status, action] = words[state];
  $("status").textContent = seconds ? `Connection lost. Trying again in ${seconds} s` : status;
  $("toggle").textContent = action;
  for (const id of ["mute", "record"]) $(id).disabled = state !== "live";
  $("welcome-title").textContent = state === "idle" ? "Say something" : words[state][0];
}

function notice(line) {
  $("notice").hidden = !line;
  $("notice-text").textContent = line ?? "";
}

function press(id, on) {
  $(id).setAttribute("aria-pressed", on);
}

function remember(change) {
  Object.assign(settings, change);
  memory.save(settings);
}

// The call

session.addEventListener("state", ({ detail }) => showState(detail));
session.addEventListener("problem", ({ detail }) => notice(detail));
session.addEventListener("stats", ({ detail }) => {
  camera.hear(detail);
  if (figures) figures.server = detail;
});

session.addEventListener("microphone", ({ detail: stream }) => {
  microphoneNode?.disconnect();
  microphoneNode = sound.createMediaStreamSource(stream);
  meter.start(microphoneNode);
  listMicrophones($("device"), settings.deviceId);
});

session.addEventListener("stream", ({ detail: stream }) => {
  video.srcObject = stream;
  video.play().catch(() => {});
  video.onplaying = () => document.body.toggleAttribute("data-shown", true);
});

session.addEventListener("open", async ({ detail: call }) => {
  notice(null);
  window.__avatar.session = call.session;
  call.control({ type: "strength", value: settings.strength });
  if (camera.on || settings.pose) sendPose();
  camera.attach(call);
  if (muted) call.control({ type: "mute", value: true });
  sendEmotion();
  if (portrait) sendPortrait(portrait).then((taken) => taken || showPortrait(null));
  const roundTrip = new VoiceRoundTrip();
  figures = new Figures(call, video, roundTrip);
  ticker = setInterval(read, 1000);
  await roundTrip.start(microphoneNode, sound.createMediaStreamSource(video.srcObject));
});

session.addEventListener("close", () => {
  clearInterval(ticker);
  camera.attach(null);
  figures?.roundTrip.stop();
  figures?.stop();
  figures = null;
  stopRecording();
  document.body.toggleAttribute("data-shown", false);
  video.srcObject = null;
  hud.clear();
});

session.addEventListener("state", ({ detail: { state } }) => {
  if (state !== "idle") return;
  camera.set(false);
  meter.stop();
  microphoneNode = null;
});

async function read() {
  const current = figures;
  const reading = await current.read();
  if (current !== figures) return;
  hud.show(reading, current.server);
  Object.assign(window.__avatar, reading, { server: current.server });
}

function toggle() {
  if (session.state !== "idle") return session.stop();
  notice(null);
  sound ??= new AudioContext();
  sound.resume();
  session.start();
}

$("start").addEventListener("click", toggle);
$("toggle").addEventListener("click", toggle);
$("notice-close").addEventListener("click", () => notice(null));

// Expression

let lastSent = 0;
let waiting = 0;

function sendEmotion() {
  clearTimeout(waiting);
  const early = lastSent + SEND_EVERY_MS - performance.now();
  if (early > 0) {
    waiting = setTimeout(sendEmotion, early);
    return;
  }
  lastSent = performance.now();
  session.call?.control({ type: "emotion", weights: pad.weights, ease_ms: EASE_MS });
}

pad.addEventListener("change", () => {
  $("blend").textContent = inWords(pad.weights);
  remember({ place: pad.place, worn });
  sendEmotion();
});

function showStrength() {
  const value = Number($("strength").value);
  $("strength-value").textContent = value.toFixed(2);
  $("strength").style.setProperty("--fill", `${(value / 1.5) * 100}%`);
}

$("strength").addEventListener("input", () => {
  showStrength();
  remember({ strength: Number($("strength").value) });
  session.call?.control({ type: "strength", value: settings.strength });
});

const poseNames = { idle: "Natural", none: "Still" };

function sendPose() {
  const source = camera.on ? "camera" : settings.pose || firstPose;
  session.call?.control({ type: "pose", source });
}

camera.addEventListener("problem", ({ detail }) => notice(detail));
camera.addEventListener("change", ({ detail: on }) => {
  sendPose();
  $("pose").toggleAttribute("data-overruled", on);
});

function offerPoses(poses, current) {
  const chosen = poses.includes(settings.pose) ? settings.pose : current;
  $("pose").replaceChildren(...poses.map((pose) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: poseNames[pose] ?? pose });
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", pose === chosen);
    button.addEventListener("click", () => {
      remember({ pose });
      if (camera.on) camera.set(false);
      else sendPose();
      offerPoses(poses, pose);
    });
    return button;
  }));
}

// Voice

$("device").addEventListener("change", () => {
  remember({ deviceId: $("device").value });
  session.changeMicrophone();
});

$("echo").addEventListener("change", () => {
  remember({ echo: $("echo").checked });
  session.changeMicrophone();
});

// Tools

function setMuted(value) {
  muted = value;
  press("mute", muted);
  $("mute").querySelector("span").textContent = muted ? "Muted" : "Mute";
  session.call?.control({ type: "mute", value: muted });
}

function setMirror(mirror) {
  remember({ mirror });
  press("mirror", mirror);
  document.body.toggleAttribute("data-mirror", mirror);
}

function setListen(listen) {
  remember({ listen });
  press("listen", listen);
  video.muted = !listen;
}

function stopRecording() {
  recorder.stop();
  press("record", false);
  $("recording").hidden = true;
}

function toggleRecording() {
  if (recorder.running) return stopRecording();
  try {
    recorder.start(video.srcObject, (time) => ($("recording-time").textContent = time));
  } catch (error) {
    return notice(`This browser cannot record: ${error.message}`);
  }
  press("record", true);
  $("recording-time").textContent = "0:00";
  $("recording").hidden = false;
}

/** Show a new portrait: at once where no call is, else when the server has taken it. */
async function usePortrait(file) {
  if (session.state !== "live" || (await sendPortrait(file))) showPortrait(file);
}

/** Whether the running call has taken the portrait. */
async function sendPortrait(file) {
  const label = $("portrait-label").querySelector("span");
  label.textContent = "Loading…";
  try {
    await session.call.setPortrait(file);
    return true;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    notice(error.message);
    return false;
  } finally {
    label.textContent = "Portrait";
  }
}

function showPortrait(file) {
  portrait = file;
  URL.revokeObjectURL($("poster").src);
  if (file) $("poster").src = URL.createObjectURL(file);
  $("poster").hidden = !file;
  $("welcome").classList.toggle("has-poster", Boolean(file));
}

$("mute").addEventListener("click", () => setMuted(!muted));
$("record").addEventListener("click", toggleRecording);
$("mirror").addEventListener("click", () => setMirror(!settings.mirror));
$("listen").addEventListener("click", () => setListen(!settings.listen));
acceptPortraits({ frame: $("frame"), input: $("portrait"), use: usePortrait, refuse: notice });

addEventListener("keydown", (event) => {
  if (event.target.matches("input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key === "m" && session.state === "live") setMuted(!muted);
  if (key === "r" && session.state === "live") toggleRecording();
});

// The page as it was left, and what this server offers

$("strength").value = settings.strength;
$("echo").checked = settings.echo;
showStrength();
setMirror(settings.mirror);
setListen(settings.listen);
showState({ state: "idle" });
if (!window.isSecureContext) notice("Browsers give the microphone only to https or localhost.");
listMicrophones($("device"), settings.deviceId);
navigator.mediaDevices?.addEventListener("devicechange", () => listMicrophones($("device"), settings.deviceId));

try {
  const about = await request("GET", "api/v1/avatar");
  pad.setNames(about.emotions ?? []);
  worn = Object.keys(about.settings?.emotion ?? {})[0] ?? worn;
  if (about.notices?.length) notice(about.notices.join(" "));
  const poses = about.poses ?? ["idle", "none"];
  firstPose = about.settings?.pose ?? firstPose;
  $("camera-box").hidden = !poses.includes("camera");
  offerPoses(poses.filter((pose) => pose !== "camera"), firstPose);
} catch (error) {
  notice(error.message);
  offerPoses(["idle", "none"], "idle");
}
// A remembered blend holds while the server starts with the same emotion; another one is shown first.
pad.move((settings.worn === worn && settings.place) || pad.placeOfName(worn));
