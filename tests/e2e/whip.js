// Publishes the microphone over WHIP and plays WHEP in #video, as a page of another site would.
const exchange = async (connection, url, token) => {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/sdp" };
  const found = [];
  let send = (candidate) => found.push(candidate);
  connection.onicecandidate = ({ candidate }) => candidate?.candidate && send(candidate);
  await connection.setLocalDescription(await connection.createOffer());
  const body = connection.localDescription.sdp.replace(/^a=candidate:.*\r\n/gm, "");
  const response = await fetch(url, { method: "POST", headers, body });
  if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
  const session = {
    url: new URL(response.headers.get("Location"), url).href,
    etag: response.headers.get("ETag"),
    trickled: [],
  };
  await connection.setRemoteDescription({ type: "answer", sdp: await response.text() });
  send = async ({ candidate, sdpMid }) => {
    const fragment = `a=mid:${sdpMid}\r\na=${candidate}\r\n`;
    const patch = { ...headers, "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": session.etag };
    const { status } = await fetch(session.url, { method: "PATCH", headers: patch, body: fragment });
    session.trickled.push(status);
  };
  for (const candidate of found) await send(candidate);
  session.remove = async () => {
    const { status } = await fetch(session.url, { method: "DELETE", headers });
    return status;
  };
  return session;
};

window.publishMicrophone = async (url, token) => {
  const microphone = await navigator.mediaDevices.getUserMedia({
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });
  const begun = performance.now();
  const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  connection.addTransceiver(microphone.getAudioTracks()[0], { direction: "sendonly" });
  window.__published = await exchange(connection, url, token);
  return begun;
};

window.play = async (url, token) => {
  const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const stream = new MediaStream();
  for (const kind of ["video", "audio"])
    stream.addTrack(connection.addTransceiver(kind, { direction: "recvonly" }).receiver.track);
  document.getElementById("video").srcObject = stream;
  window.__played = await exchange(connection, url, token);
};
