/** What a page's browser can do from now on, by names; a kind that is not named stays. */
export interface CodecChoice {
  readonly audio?: readonly string[];
  readonly video?: readonly string[];
}

/**
 * A browser that answers sends what was offered whatever it has answered, so audio that it is not
 * to have is taken out of the offer before it sees it.
 */
const SCRIPT = `((wanted) => {
  const BESIDE = ["rtx", "telephone-event"];
  const isWanted = (kind, name) =>
    [...wanted[kind], ...BESIDE].some((one) => one.toLowerCase() === name.toLowerCase());
  const narrow = (connection) => {
    for (const transceiver of connection.getTransceivers()) {
      const { kind } = transceiver.receiver.track;
      if (!wanted[kind]) continue;
      const { codecs } = RTCRtpReceiver.getCapabilities(kind);
      transceiver.setCodecPreferences(
        codecs.filter(({ mimeType }) => isWanted(kind, mimeType.split("/")[1])),
      );
    }
  };
  const strip = (section) => {
    if (!wanted.audio || !section.startsWith("m=audio")) return section;
    const gone = [...section.matchAll(/^a=rtpmap:(\\d+) ([^/]+)/gm)]
      .filter(([, , name]) => !isWanted("audio", name)).map(([, type]) => type);
    const lines = section.split("\\r\\n").filter((line) =>
      !gone.some((type) => new RegExp("^a=(rtpmap|fmtp|rtcp-fb):" + type + " ").test(line))
    );
    const [head, port, protocol, ...types] = lines[0].split(" ");
    const left = types.filter((type) => !gone.includes(type));
    return [[head, port, protocol, ...left].join(" "), ...lines.slice(1)].join("\\r\\n");
  };
  const { prototype } = RTCPeerConnection;
  for (const method of ["createOffer", "createAnswer"]) {
    const original = prototype[method];
    prototype[method] = function (...args) {
      narrow(this);
      return original.apply(this, args);
    };
  }
  const original = prototype.setRemoteDescription;
  prototype.setRemoteDescription = function ({ type, sdp }, ...args) {
    const sections = sdp.split(/(?=^m=)/m).map(type === "offer" ? strip : (section) => section);
    return original.call(this, { type, sdp: sections.join("") }, ...args);
  };
})`;

/**
 * Narrows the browser of a page to some codecs, so that it truly neither sends nor takes others,
 * offering or answering. What the page's code does stays as it is.
 */
export async function chooseCodecs(
  page: { evaluate(expression: string): Promise<unknown> },
  choice: CodecChoice,
): Promise<void> {
  await page.evaluate(`${SCRIPT}(${JSON.stringify(choice)})`);
}
