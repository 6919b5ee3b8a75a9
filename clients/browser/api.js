// The server's HTTP interface (docs/wire.md), with the token of `?token=`.

const token = new URLSearchParams(location.search).get("token");

/** What the server or the network refused; `message` is one line for the user, `status` 0 without an answer. */
export class Refused extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/** Send one request and return its JSON object. */
export async function request(method, path, { json, body, type, keepalive } = {}) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (json !== undefined || type) headers["Content-Type"] = type ?? "application/json";
  let response;
  try {
    response = await fetch(path, {
      method, headers, keepalive, body: json === undefined ? body : JSON.stringify(json),
    });
  } catch {
    throw new Refused("The server cannot be reached.");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(sentence(answer.error, response.status), response.status);
  return answer;
}

function sentence(reason, status) {
  if (status === 401 || status === 403) return "The server wants a token: add ?token=… to the address.";
  if (status === 503) return `The server is full${reason ? ` (${reason})` : ""}. Try again in a moment.`;
  return reason || `The server answered with status ${status}.`;
}
