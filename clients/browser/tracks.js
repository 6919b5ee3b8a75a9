// Tracks of the microphone and of the camera.

/** Let go of the device behind a stream; null is no stream. */
export function stopTracks(stream) {
  stream?.getTracks().forEach((track) => {
    track.onended = null;
    track.stop();
  });
}
