/**
 * One side of a call, running in a page: sends a tone and, where wanted, a moving picture; hears and
 * sees what comes back.
 */
globalThis.setUpSide = ({ hertz, video }) => {
  const context = new AudioContext();
  const oscillator = new OscillatorNode(context, { frequency: hertz });
  const out = context.createMediaStreamDestination();
  const gain = new GainNode(context, { gain: 0.3 });
  oscillator.connect(gain).connect(out);
  oscillator.start();
  const connection = new RTCPeerConnection({ iceServers: [] });
  connection.addTrack(out.stream.getAudioTracks()[0], out.stream);
  if (video) {
    const canvas = document.createElement("canvas");
    canvas.width = 320;
    canvas.height = 240;
    const drawing = canvas.getContext("2d");
    let frame = 0;
    setInterval(() => {
      drawing.fillStyle = `hsl(${frame++ % 360} 80% 50%)`;
      drawing.fillRect(0, 0, 320, 240);
      drawing.fillStyle = "white";
      drawing.fillRect(frame % 320, 100, 40, 40);
    }, 50);
    connection.addTrack(canvas.captureStream(20).getVideoTracks()[0], out.stream);
  }
  const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
  connection.ontrack = ({ track }) => {
    const stream = new MediaStream([track]);
    const element = document.createElement(track.kind);
    element.srcObject = stream;
    element.muted = true;
    element.play();
    document.body.append(element);
    if (track.kind === "audio") context.createMediaStreamSource(stream).connect(analyser);
  };
  const gathered = async () => {
    while (connection.iceGatheringState !== "complete") {
      await new Promise((resolve) =>
        connection.addEventListener("icegatheringstatechange", resolve, { once: true })
      );
    }
    return connection.localDescription.sdp;
  };
  globalThis.side = {
    async offer() {
      await connection.setLocalDescription(await connection.createOffer());
      return await gathered();
    },
    async answer(sdp) {
      await connection.setRemoteDescription({ type: "offer", sdp });
      await connection.setLocalDescription(await connection.createAnswer());
      return await gathered();
    },
    accept: (sdp) => connection.setRemoteDescription({ type: "answer", sdp }),
    tone() {
      const bins = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(bins);
      let best = 0;
      for (let i = 1; i < bins.length; i++) if (bins[i] > bins[best]) best = i;
      return bins[best] < -60 ? 0 : best * context.sampleRate / analyser.fftSize;
    },
    async statistics() {
      const found = { framesDecoded: 0, keyFramesDecoded: 0, audioPackets: 0, audioSources: [] };
      (await connection.getStats()).forEach((report) => {
        if (report.type !== "inbound-rtp") return;
        if (report.kind === "audio") {
          found.audioPackets += report.packetsReceived;
          found.audioSources.push(report.ssrc);
        } else {
          found.framesDecoded += report.framesDecoded ?? 0;
          found.keyFramesDecoded += report.keyFramesDecoded ?? 0;
        }
      });
      return { connectionState: connection.connectionState, ...found };
    },
    close: () => connection.close(),
  };
};
