/**
 * What a test does in a page that has the Web SDK: logs in, calls, answers, and keeps everything
 * that happens as a list of facts that can be waited for. The SDK itself is left as it is; peer
 * connections and sockets are noted by way of their global constructors.
 */
(() => {
  const AUDIO = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const FFT_SIZE = 8192;
  /** Samples looked at for the first sound. */
  const NEWEST = 1024;
  /** Below this there is silence, dB. */
  const SILENCE = -60;
  /** Headless Firefox has no running AudioContext; there, statistics tell of sound. */
  const canListen = !navigator.userAgent.includes("Firefox");
  const facts = [];
  const frames = [];
  const connections = [];
  const calls = [];
  const listeners = [];
  const analysers = new Map();
  let session = null;
  const sentAt = new Map();
  let audio = null;

  /** The same in every page of a machine, ms. */
  const now = () => performance.timeOrigin + performance.now();

  const note = (of, status, more) => {
    facts.push({ of, status, at: now(), ...more });
    for (const listen of listeners.splice(0)) listen();
  };

  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
      super(...args);
      connections.push(this);
      this.addEventListener("track", ({ track }) => {
        if (track.kind === "audio" && canListen) listen(this, track);
      });
    }
  };

  globalThis.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      this.addEventListener("message", ({ data }) => {
        const frame = JSON.parse(data);
        if (frame.message === "ping") return;
        frames.push(frame);
        note("frame", frame.message, { text: frame.data?.[0]?.info });
      });
      this.addEventListener("close", ({ code }) => note("socket", "closed", { code }));
    }

    send(text) {
      const { message } = JSON.parse(text);
      sentAt.set(message, now());
      super.send(text);
    }
  };

  function listen(connection, track) {
    audio ??= new AudioContext();
    const analyser = new AnalyserNode(audio, { fftSize: FFT_SIZE, smoothingTimeConstant: 0 });
    audio.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    analysers.set(connection, analyser);
  }

  const display = () => {
    const element = document.createElement("div");
    element.style = "width: 320px; height: 240px; display: inline-block";
    document.body.append(element);
    return element;
  };

  const within = async (ms, what, fits) => {
    const end = performance.now() + ms;
    for (;;) {
      const found = fits();
      if (found) return found;
      const left = end - performance.now();
      if (left <= 0) throw new Error(`${what}: not within ${ms} ms`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        listeners.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  };

  /** Follows a state that has no event. */
  const sampled = async (ms, what, sample, pause = 20) => {
    const end = performance.now() + ms;
    for (;;) {
      const found = await sample();
      if (found.fits) return found.value;
      if (performance.now() > end) {
        throw new Error(`${what}: not within ${ms} ms, last ${JSON.stringify(found.value)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  };

  const watchCall = (call) => {
    const index = calls.push(call) - 1;
    for (const status of Object.values(Flashphoner.constants.CALL_STATUS)) {
      call.on(status, () => note(index, status));
    }
    return index;
  };

  const media = (video) => ({
    constraints: { audio: AUDIO, video },
    receiveVideo: video !== false,
    localVideoDisplay: display(),
    remoteVideoDisplay: display(),
  });

  const report = async (connection) => {
    const found = {
      connectionState: connection.connectionState,
      audioPackets: 0,
      audioEnergy: 0,
      audioLevel: 0,
      framesDecoded: 0,
      keyFramesDecoded: 0,
      framesSent: 0,
      codecs: [],
      estimate: 0,
    };
    const reports = await connection.getStats();
    reports.forEach((entry) => {
      if (entry.type === "candidate-pair") {
        found.estimate = Math.max(found.estimate, entry.availableOutgoingBitrate ?? 0);
      }
      if (entry.type === "outbound-rtp" && entry.kind === "video") {
        found.framesSent += entry.framesSent ?? 0;
      }
      if (entry.type !== "inbound-rtp") return;
      if (entry.kind === "audio") {
        found.audioPackets += entry.packetsReceived ?? 0;
        found.audioEnergy += entry.totalAudioEnergy ?? 0;
        found.audioLevel = Math.max(found.audioLevel, entry.audioLevel ?? 0);
      } else {
        found.framesDecoded += entry.framesDecoded ?? 0;
        found.keyFramesDecoded += entry.keyFramesDecoded ?? 0;
      }
      const codec = entry.codecId === undefined ? undefined : reports.get(entry.codecId);
      if (codec) found.codecs.push(codec.mimeType);
    });
    return found;
  };

  const connectionOf = (index) => {
    const connection = index === undefined ? connections.at(-1) : connections[index];
    if (!connection) throw new Error("there is no peer connection");
    return connection;
  };

  const peak = (connection) => {
    const analyser = analysers.get(connection);
    if (!analyser) return { hertz: 0, decibels: -Infinity };
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    let best = 1;
    for (let i = 2; i < bins.length; i++) if (bins[i] > bins[best]) best = i;
    const decibels = bins[best];
    const hertz = decibels < SILENCE ? 0 : best * audio.sampleRate / analyser.fftSize;
    return { hertz: Math.round(hertz), decibels: Math.round(decibels) };
  };

  globalThis.user = {
    facts: () => facts,
    frames: () => frames,

    async login(options) {
      await Flashphoner.init({});
      session = Flashphoner.createSession(options);
      for (const status of Object.values(Flashphoner.constants.SESSION_STATUS)) {
        if (status === "INCOMING_CALL") continue;
        session.on(status, (_, more) => {
          const text = status === "WARN" ? JSON.stringify(_) : undefined;
          note("session", status, { text, authToken: more?.authToken });
        });
      }
      session.on("INCOMING_CALL", (call) => {
        watchCall(call);
        note("session", "INCOMING_CALL", { caller: call.caller(), name: call.visibleName() });
      });
    },
    disconnect: () => session.disconnect(),

    call({ video = false, ...options }) {
      const call = session.createCall({ ...media(video), ...options });
      const index = watchCall(call);
      call.call();
      return index;
    },
    answer({ video = false, ...options }) {
      calls.at(-1).answer({ ...media(video), ...options });
    },
    hangup: (index) => calls.at(index ?? -1).hangup(),
    hold: (index) => calls.at(index ?? -1).hold(),
    unhold: (index) => calls.at(index ?? -1).unhold(),
    holdForTransfer: (index) => calls.at(index ?? -1).holdForTransfer(),
    transfer: (target, index) => calls.at(index ?? -1).transfer(target),
    dtmf: (digits, type, index) => calls.at(index ?? -1).sendDTMF(digits, type),
    callId: (index) => calls.at(index ?? -1).id(),
    lastCall: () => calls.length - 1,
    sentAt: (message) => sentAt.get(message),
    closeConnection: () => connectionOf().close(),
    peak: (index) => peak(connectionOf(index)),
    report: (index) => report(connectionOf(index)),

    /** The fact that `of` (session, socket, frame, number of a call) had `status` so often. */
    until: (of, status, count, ms) =>
      within(
        ms,
        `${of} ${status}`,
        () => facts.filter((fact) => fact.of === of && fact.status === status)[count - 1],
      ),
    /** The tone heard, 0 for silence. */
    hears: (hertz, ms, index) =>
      sampled(ms, `hears ${hertz} Hz`, () => {
        const connection = connections.at(index ?? -1);
        const value = connection ? peak(connection) : { hertz: -1, decibels: -Infinity };
        return { fits: Math.abs(value.hertz - hertz) < 15, value };
      }),
    /** More sound than there has been so far, whatever it is. */
    async energy(more, ms) {
      const ask = () => connections.length === 0 ? { audioEnergy: 0 } : report(connectionOf());
      const before = (await ask()).audioEnergy;
      return await sampled(ms, "hears anything", async () => {
        const value = await ask();
        return { fits: value.audioEnergy > before + more, value };
      });
    },
    /** So many more decoded frames; tells how long they took, ms. */
    async sees(more, ms) {
      const from = performance.now();
      const ask = () => connections.length === 0 ? { framesDecoded: 0 } : report(connectionOf());
      const before = (await ask()).framesDecoded;
      await sampled(ms, `sees ${more} frames`, async () => {
        const value = await ask();
        return { fits: value.framesDecoded >= before + more, value };
      });
      return performance.now() - from;
    },
    /** When the first sound comes over a connection later than the one there is now. */
    firstSound(ms) {
      const before = connections.length;
      // The analyser's whole window: what comes last is newest.
      const wave = new Float32Array(FFT_SIZE);
      return sampled(ms, "first sound", () => {
        const analyser = connections.length > before && analysers.get(connections.at(-1));
        if (analyser) analyser.getFloatTimeDomainData(wave);
        return {
          fits: wave.subarray(-NEWEST).some((sample) => Math.abs(sample) > 0.01),
          value: now(),
        };
      }, 2);
    },
  };
})();
