// Joins a VideoRoom, watches one participant in #video and notes when that one comes and goes.
window.watchRoom = async ({ url, room, pin, secret, watch }) => {
  await navigator.mediaDevices.getUserMedia({ audio: true }); // else Chromium gathers no loopback
  const socket = new WebSocket(url, "janus-protocol");
  await new Promise((opened, failed) => Object.assign(socket, { onopen: opened, onerror: failed }));
  const answers = new Map(), listeners = new Map();
  const state = (window.__room = { session: null, found: null, left: null });
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    const answer = answers.get(message.transaction);
    if (answer && !(answer.wantsEvent && message.janus === "ack")) {
      answers.delete(message.transaction);
      answer.give(message);
    } else listeners.get(message.sender)?.(message);
  };
  const request = (fields, wantsEvent = false) =>
    new Promise((give) => {
      const transaction = crypto.randomUUID();
      answers.set(transaction, { give, wantsEvent });
      const session = state.session === null ? {} : { session_id: state.session };
      socket.send(JSON.stringify({ ...fields, ...session, apisecret: secret, transaction }));
    });
  const attach = async (listener) => {
    const handle = (await request({ janus: "attach", plugin: "janus.plugin.videoroom" })).data.id;
    listeners.set(handle, listener);
    return handle;
  };
  const tell = (handle, body, jsep) =>
    request({ janus: "message", handle_id: handle, body, ...(jsep ? { jsep } : {}) }, true);

  const subscribe = async (feed) => {
    const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    const handle = await attach((message) => {
      if (message.janus === "trickle" && message.candidate.candidate)
        connection.addIceCandidate(message.candidate);
    });
    connection.ontrack = ({ streams }) => (document.getElementById("video").srcObject = streams[0]);
    connection.onicecandidate = ({ candidate }) =>
      request({ janus: "trickle", handle_id: handle, candidate: candidate ?? { completed: true } });
    const join = { request: "join", ptype: "subscriber", room, pin, streams: [{ feed }] };
    await connection.setRemoteDescription((await tell(handle, join)).jsep);
    await connection.setLocalDescription(await connection.createAnswer());
    await tell(handle, { request: "start" }, connection.localDescription);
  };
  const hear = ({ plugindata }) => {
    const data = plugindata?.data ?? {};
    const found = (data.publishers ?? []).find(({ display }) => display === watch);
    if (found && state.found === null) subscribe((state.found = found.id));
    if (state.found !== null && data.leaving === state.found) state.left = performance.now();
  };
  state.session = (await request({ janus: "create" })).data.id;
  const handle = await attach(hear);
  hear(await tell(handle, { request: "join", ptype: "publisher", room, pin, display: "browser" }));
};
