// Grabs shown pictures of the page's video as JPEG, each with its time and the loudness of the returned voice.
window.grab = async (seconds, everyMs, side = 320) => {
  const video = document.getElementById("video");
  const canvas = new OffscreenCanvas(side, side);
  const pen = canvas.getContext("2d");
  const context = new AudioContext();
  await context.resume();
  const analyser = new AnalyserNode(context, { fftSize: 2048 });
  context.createMediaStreamSource(video.srcObject).connect(analyser);
  const sound = new Float32Array(2048);
  const grabs = [];
  const end = performance.now() + seconds * 1000;
  let next = 0;
  await new Promise((done) => {
    const look = (now) => {
      if (now > end) return done();
      video.requestVideoFrameCallback(look);
      if (now < next) return;
      next = now + everyMs - 5;
      pen.drawImage(video, 0, 0, side, side);
      analyser.getFloatTimeDomainData(sound);
      const rms = Math.sqrt(sound.reduce((sum, x) => sum + x * x, 0) / sound.length);
      grabs.push({ t: now, rms, blob: canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 }) });
    };
    video.requestVideoFrameCallback(look);
  });
  await context.close();
  const encode = async (blob) => {
    const bytes = new Uint8Array(await (await blob).arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  };
  return Promise.all(grabs.map(async ({ t, rms, blob }) => ({ t, rms, jpeg: await encode(blob) })));
};
