// What the page remembers between visits.

const KEY = "avatar.settings";
const DEFAULTS = {
  deviceId: "", echo: true, mirror: false, listen: false, strength: 1, pose: "", place: null, worn: "",
};

/** The remembered settings over the defaults; a browser that forbids storage only forgets. */
export function load() {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY)) };
  } catch {
    return { ...DEFAULTS };
  }
}

export function save(settings) {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Private windows may forbid storage; the call works all the same.
  }
}
