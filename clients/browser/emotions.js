// Where emotions lie on the pad, and what a place on the pad weighs: mathematics only.

// Neighbours on the circle look alike, so a blend of two neighbours is a face that people know.
const ORDER = ["happy", "surprised", "fear", "angry", "disgusted", "contempt", "sad", "calm"];

/** The names around the circle, known ones in their order, then the rest; neutral is the centre. */
export function around(names) {
  const rank = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return names.filter((name) => name !== "neutral").sort((a, b) => rank(a) - rank(b));
}

/** The place of name i of n: on the unit circle, clockwise from the top. */
export function placeOf(i, n) {
  const angle = (2 * Math.PI * i) / n;
  return { x: Math.sin(angle), y: -Math.cos(angle) };
}

/**
 * Weights of a place: the distance from the centre is shared by the two nearest names, by angle.
 * They sum to at most 1; the rest is neutral.
 */
export function weightsAt({ x, y }, names) {
  const radius = Math.min(1, Math.hypot(x, y));
  if (!names.length || radius < 0.04) return {};
  const turn = ((Math.atan2(x, -y) / (2 * Math.PI) + 1) % 1) * names.length;
  const first = Math.floor(turn) % names.length;
  const part = turn - Math.floor(turn);
  const weights = { [names[first]]: radius * (1 - part) };
  const second = names[(first + 1) % names.length];
  weights[second] = (weights[second] ?? 0) + radius * part;
  return Object.fromEntries(
    Object.entries(weights).map(([name, w]) => [name, Math.floor(w * 1000) / 1000]).filter(([, w]) => w >= 0.01),
  );
}

/** "happy 62 · surprised 20", or "neutral". */
export function inWords(weights) {
  const parts = Object.entries(weights).sort((a, b) => b[1] - a[1]);
  return parts.map(([name, w]) => `${name} ${Math.round(w * 100)}`).join(" · ") || "neutral";
}
