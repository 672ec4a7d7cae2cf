/** The video of a phone that sends back what it gets: a loop-back, for whoever wants to see. */

const HOST = "127.0.0.1";

export interface VideoEchoOptions {
  /** `H264` or `VP8`. */
  readonly codec: string;
  /** RTP/AVPF, with NACK and key frame requests; else nothing is said about feedback. */
  readonly avpf?: boolean;
  /** What it calls the codec in offers of its own. */
  readonly payloadType?: number;
  /** Which packets are lost on the way back, by their count. */
  readonly loses?: (count: number) => boolean;
}

interface Chosen {
  readonly payloadType: number;
  readonly lines: readonly string[];
}

export class VideoEcho implements AsyncDisposable {
  readonly #rtp: Deno.DatagramConn;
  readonly #rtcp: Deno.DatagramConn;
  readonly #options: VideoEchoOptions;
  readonly #reading: Promise<unknown>;
  readonly #ssrc = crypto.getRandomValues(new Uint32Array(1))[0]!;
  #theirs = 0;
  /** Packets that came, and that went back. */
  received = 0;
  /** RTCP packet types with format, `206/1`, in their order. */
  readonly feedback: string[] = [];
  readonly #sent = new Map<number, Uint8Array>();
  /** Packets repeated because a NACK asked for them. */
  repeated = 0;
  #from: Deno.NetAddr | undefined;

  constructor(options: VideoEchoOptions) {
    this.#options = options;
    [this.#rtp, this.#rtcp] = portPair();
    this.#reading = Promise.all([
      readAll(this.#rtp, (packet, from) => this.#media(packet, from)),
      readAll(this.#rtcp, (packet) => this.#reports(packet)),
    ]);
  }

  get port(): number {
    return (this.#rtp.addr as Deno.NetAddr).port;
  }

  /** The answer's m-line and what belongs to it, for the other side's description. */
  answerTo(sdp: string): string {
    const section = sdp.split(/(?=^m=)/m).find((part) => part.startsWith("m=video"));
    if (!section) return "";
    const chosen = this.#choose(section);
    const profile = this.#options.avpf ? "RTP/AVPF" : "RTP/AVP";
    if (!chosen) return `m=video 0 ${profile} 99\r\na=rtpmap:99 ${this.#options.codec}/90000\r\n`;
    return `m=video ${this.port} ${profile} ${chosen.payloadType}\r\n` +
      chosen.lines.map((line) => `${line}\r\n`).join("") +
      (this.#options.avpf
        ? ["nack", "nack pli", "ccm fir"].map((one) => `a=rtcp-fb:${chosen.payloadType} ${one}\r\n`)
          .join("")
        : "");
  }

  /** Its own offer. */
  get offer(): string {
    const { codec, payloadType = 99 } = this.#options;
    const fmtp = codec === "H264"
      ? `a=fmtp:${payloadType} profile-level-id=42e01f;packetization-mode=1\r\n`
      : "";
    return `m=video ${this.port} RTP/AVP ${payloadType}\r\n` +
      `a=rtpmap:${payloadType} ${codec}/90000\r\n${fmtp}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#rtp.close();
    this.#rtcp.close();
    await this.#reading;
  }

  /** Whoever wants a key frame of an echo wants one of who is echoed: it asks the far end by PLI. */
  askKeyFrame(): void {
    if (!this.#from) return;
    const packet = new Uint8Array(12);
    const view = new DataView(packet.buffer);
    view.setUint32(0, 0x81ce0002);
    view.setUint32(4, this.#ssrc);
    view.setUint32(8, this.#theirs);
    this.#rtcp.send(packet, { ...this.#from, port: this.#from.port + 1 }).catch(() => {});
  }

  #choose(section: string): Chosen | undefined {
    const lines = section.split("\r\n");
    for (const line of lines) {
      const [, type, name] = /^a=rtpmap:(\d+) ([^/]+)\//.exec(line) ?? [];
      if (name !== this.#options.codec) continue;
      const fmtp = lines.filter((one) => one.startsWith(`a=fmtp:${type} `));
      return { payloadType: Number(type), lines: [line, ...fmtp] };
    }
    return undefined;
  }

  #media(packet: Uint8Array, from: Deno.NetAddr): void {
    if (packet.length < 12) return;
    this.#from = from;
    this.received++;
    const back = packet.slice();
    const view = new DataView(back.buffer);
    this.#theirs = view.getUint32(8);
    view.setUint32(8, this.#ssrc);
    const sequence = view.getUint16(2);
    this.#sent.set(sequence, back);
    this.#sent.delete((sequence - 500) & 0xffff);
    if (this.#options.loses?.(this.received)) return;
    this.#rtp.send(back, from).catch(() => {});
  }

  #reports(packet: Uint8Array): void {
    const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
    for (let at = 0; at + 4 <= packet.length; at += 4 + 4 * view.getUint16(at + 2)) {
      const type = packet[at + 1]!;
      this.feedback.push(type === 205 || type === 206 ? `${type}/${packet[at]! & 31}` : `${type}`);
      if (type === 206) this.askKeyFrame();
      if (type !== 205 || (packet[at]! & 31) !== 1 || at + 16 > packet.length) continue;
      const end = at + 4 + 4 * view.getUint16(at + 2);
      for (let item = at + 12; item + 4 <= end; item += 4) {
        this.#repeat(view.getUint16(item), view.getUint16(item + 2));
      }
    }
  }

  #repeat(first: number, bits: number): void {
    for (let i = 0; i <= 16; i++) {
      if (i > 0 && (bits & (1 << (i - 1))) === 0) continue;
      const packet = this.#sent.get((first + i) & 0xffff);
      if (!packet || !this.#from) continue;
      this.repeated++;
      this.#rtp.send(packet, this.#from).catch(() => {});
    }
  }
}

/** RTP on an even port, RTCP on the next (RFC 3550 11). */
function portPair(): [Deno.DatagramConn, Deno.DatagramConn] {
  for (let tries = 0; tries < 50; tries++) {
    const rtp = Deno.listenDatagram({ transport: "udp", hostname: HOST, port: 0 });
    const { port } = rtp.addr as Deno.NetAddr;
    try {
      if (port % 2 === 0) {
        return [rtp, Deno.listenDatagram({ transport: "udp", hostname: HOST, port: port + 1 })];
      }
    } catch {
      // Somebody else's port.
    }
    rtp.close();
  }
  throw new Error("no two ports beside each other were free");
}

async function readAll(
  socket: Deno.DatagramConn,
  take: (packet: Uint8Array, from: Deno.NetAddr) => void,
): Promise<void> {
  try {
    for await (const [packet, from] of socket) take(packet, from as Deno.NetAddr);
  } catch {
    // Closed.
  }
}
