/** Descriptions as the simulator's phones write and read them: a codec is a name and a number. */

export interface PhoneSdp {
  readonly address: string;
  readonly port: number;
  readonly direction: string;
  /** Number and `name/rate`, preferred first. */
  readonly codecs: readonly (readonly [number, string])[];
  readonly version: number;
  readonly keys?: boolean;
}

const KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

export function writePhoneSdp(sdp: PhoneSdp): string {
  const { address, port, direction, codecs, version, keys = false } = sdp;
  return [
    "v=0",
    `o=phone 7 ${version} IN IP4 ${address}`,
    "s=phone",
    `c=IN IP4 ${address}`,
    "t=0 0",
    `m=audio ${port} RTP/${keys ? "S" : ""}AVP ${codecs.map(([type]) => type).join(" ")}`,
    ...codecs.map(([type, name]) => `a=rtpmap:${type} ${name}`),
    ...(keys ? [`a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${KEY}`] : []),
    `a=${direction}`,
    "",
  ].join("\r\n");
}

/** The first m-line; the others are refused. Undefined where there is nothing to read. */
export function readPhoneSdp(text: string): (PhoneSdp & { readonly lines: number }) | undefined {
  const lines = text.split("\r\n");
  const from = lines.findIndex((line) => line.startsWith("m=audio "));
  if (from < 0) return undefined;
  const next = lines.findIndex((line, index) => index > from && line.startsWith("m="));
  const section = lines.slice(from, next < 0 ? undefined : next);
  const value = (list: readonly string[], start: string) =>
    list.find((line) => line.startsWith(start))?.slice(start.length);
  const [, port, protocol, ...types] = section[0]!.split(" ");
  const known = new Map([[0, "PCMU/8000"], [8, "PCMA/8000"], [9, "G722/8000"]]);
  for (const line of section) {
    const match = /^a=rtpmap:(\d+) (\S+)/.exec(line);
    if (match) known.set(Number(match[1]), match[2]!);
  }
  return {
    address: value(section, "c=IN IP4 ") ?? value(lines, "c=IN IP4 ") ?? "",
    port: Number(port),
    direction: /^a=(sendrecv|sendonly|recvonly|inactive)$/m.exec(section.join("\n"))?.[1] ??
      "sendrecv",
    codecs: types.map((type) => [Number(type), known.get(Number(type)) ?? ""] as const),
    version: Number(/^o=\S+ \S+ (\d+)/m.exec(text)?.[1]),
    keys: protocol!.includes("SAVP"),
    lines: lines.filter((line) => line.startsWith("m=")).length,
  };
}
