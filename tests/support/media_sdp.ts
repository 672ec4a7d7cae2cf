import type { LocalTransport, RemoteTransport } from "../../src/rtp/media_port.ts";

/** Just enough SDP to put a real browser on a media endpoint; the product's own is in `src/sdp`. */

const TRANSPORT_LINE = /^a=(candidate|end-of-candidates|ice-|fingerprint|setup|extmap-allow-mixed)/;

/** The browser's SDP with our transport in place of its own. */
export function withTransport(
  sdp: string,
  local: LocalTransport,
  setup: "passive" | "actpass",
): string {
  const lines: string[] = [];
  for (const line of sdp.split("\r\n")) {
    if (line === "" || TRANSPORT_LINE.test(line)) continue;
    if (line.startsWith("m=") && !lines.includes("a=ice-lite")) lines.push("a=ice-lite");
    lines.push(line);
    if (!line.startsWith("c=")) continue;
    lines.push(
      `a=ice-ufrag:${local.iceUfrag}`,
      `a=ice-pwd:${local.icePwd}`,
      `a=fingerprint:sha-256 ${local.fingerprint}`,
      `a=setup:${setup}`,
      ...local.candidates.map(({ address, port }, i) =>
        `a=candidate:${i + 1} 1 udp ${2130706431 - i} ${address} ${port} typ host`
      ),
      "a=end-of-candidates",
    );
  }
  return lines.join("\r\n") + "\r\n";
}

/** What the browser's SDP says of its side. */
export function remoteTransport(sdp: string): RemoteTransport {
  const value = (name: string) => sdp.match(new RegExp(`^a=${name}:(.*)$`, "m"))?.[1]?.trim() ?? "";
  const payloads: RemoteTransport["payloads"][number][] = [];
  let kind: "audio" | "video" = "audio";
  for (const line of sdp.split("\r\n")) {
    if (line.startsWith("m=")) kind = line.startsWith("m=video") ? "video" : "audio";
    const map = line.match(/^a=rtpmap:(\d+) ([^/]+)\/(\d+)/);
    if (map === null) continue;
    payloads.push({
      payloadType: Number(map[1]),
      kind,
      codec: map[2]!,
      clockRate: Number(map[3]),
    });
  }
  const wide = sdp.match(/^a=extmap:(\d+) \S*transport-wide-cc-extensions-01/m)?.[1];
  return {
    iceUfrag: value("ice-ufrag"),
    icePwd: value("ice-pwd"),
    fingerprints: [...sdp.matchAll(/^a=fingerprint:(\S+) (\S+)/gm)].map((match) => ({
      algorithm: match[1]!,
      value: match[2]!,
    })),
    payloads,
    ...(wide === undefined ? {} : { transportWideId: Number(wide) }),
  };
}
