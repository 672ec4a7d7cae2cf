/** What a test does in a page with JsSIP: registers, calls, answers, and keeps what happens. */
(() => {
  const FFT_SIZE = 8192;
  /** Below this there is silence, dB. */
  const SILENCE = -60;
  const facts = [];
  const listeners = [];
  let agent = null;
  let session = null;
  let analyser = null;
  let audio = null;

  const note = (name, more) => {
    facts.push({ name, ...more });
    for (const listen of listeners.splice(0)) listen();
  };

  const until = async (name, count, ms) => {
    const end = performance.now() + ms;
    for (;;) {
      const found = facts.filter((fact) => fact.name === name)[count - 1];
      if (found) return found;
      const left = end - performance.now();
      if (left <= 0) throw new Error(`no ${name} (${count}) within ${ms} ms`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        listeners.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  };

  let connection = null;

  const listen = (made) => {
    connection = made;
    // As applications do it: each time that a track comes, after a hold too, its stream is played.
    const element = new Audio();
    connection.addEventListener("track", ({ track, streams: [stream] }) => {
      if (track.kind !== "audio") return;
      audio ??= new AudioContext();
      element.srcObject = stream;
      element.play();
      analyser = new AnalyserNode(audio, { fftSize: FFT_SIZE, smoothingTimeConstant: 0 });
      audio.createMediaStreamSource(stream).connect(analyser);
    });
  };

  const peak = () => {
    if (!analyser) return -1;
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    let best = 1;
    for (let i = 2; i < bins.length; i++) if (bins[i] > bins[best]) best = i;
    return bins[best] < SILENCE ? 0 : Math.round(best * audio.sampleRate / FFT_SIZE);
  };

  const media = {
    mediaConstraints: {
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
      video: false,
    },
    pcConfig: { iceServers: [] },
  };

  const watch = (made) => {
    session = made;
    const named = (name) => (event) =>
      note(name, { by: event?.originator, cause: event?.cause ?? event?.response?.status_code });
    for (const name of ["progress", "accepted", "confirmed", "ended", "failed", "hold", "unhold"]) {
      session.on(name, named(name));
    }
    session.on("newDTMF", ({ originator, dtmf }) => {
      if (originator === "remote") note("digit", { by: dtmf.tone });
    });
    if (session.connection) listen(session.connection);
    else session.on("peerconnection", ({ peerconnection }) => listen(peerconnection));
  };

  globalThis.user = {
    facts: () => facts,
    until,

    async register({ socket, name, password }, ms) {
      agent = new JsSIP.UA({
        sockets: [new JsSIP.WebSocketInterface(socket)],
        uri: `sip:${name}@localhost`,
        password,
        register_expires: 300,
        session_timers: true,
      });
      for (const name of ["registered", "unregistered", "disconnected"]) {
        agent.on(name, () => note(name));
      }
      agent.on(
        "registrationFailed",
        ({ cause, response }) =>
          note("registrationFailed", { cause: response?.status_code ?? cause }),
      );
      agent.on("newRTCSession", ({ originator, session: made }) => {
        watch(made);
        if (originator === "remote") {
          note("ringing", { by: made.remote_identity.uri.user });
        }
      });
      agent.start();
      await until("registered", 1, ms);
    },
    async unregister(ms) {
      agent.unregister();
      await until("unregistered", 1, ms);
    },
    call: (name) => void agent.call(`sip:${name}@localhost`, media),
    answer: () => session.answer(media),
    hangup: () => session.terminate(),
    hold: () => void session.hold(),
    unhold: () => void session.unhold(),
    restartIce: () =>
      new Promise((resolve) =>
        session.renegotiate({ rtcOfferConstraints: { iceRestart: true } }, resolve)
      ),
    /** User fragments of the checks that carry the media, as both descriptions have them. */
    icePair() {
      const of = ({ sdp }) => /^a=ice-ufrag:(\S+)/m.exec(sdp)[1];
      const { currentLocalDescription, currentRemoteDescription } = connection;
      return { local: of(currentLocalDescription), remote: of(currentRemoteDescription) };
    },
    digits: (digits) => session.sendDTMF(digits, { transportType: "RFC2833" }),

    /**
     * More sound than there has been. Chromium's Web Audio stays silent for a track that went at a
     * hold and came back, so that its tone can't be told, while the track itself plays.
     */
    async hearsAnything(ms) {
      const energy = async () => {
        let sum = 0;
        (await connection.getStats()).forEach((entry) => {
          if (entry.type === "inbound-rtp") sum += entry.totalAudioEnergy ?? 0;
        });
        return sum;
      };
      const before = await energy();
      for (const end = performance.now() + ms;;) {
        if (await energy() > before + 0.02) return;
        if (performance.now() > end) throw new Error(`hears nothing for ${ms} ms`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },

    async hears(hertz, ms) {
      const end = performance.now() + ms;
      for (;;) {
        const heard = peak();
        if (Math.abs(heard - hertz) < 15) return;
        if (performance.now() > end) {
          throw new Error(`hears ${hertz} Hz: not within ${ms} ms, last ${heard}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  };
})();
