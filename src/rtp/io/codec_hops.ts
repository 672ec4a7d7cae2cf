import type { CodecCommand, CodecEvent, Side, TranscoderPacket } from "../codec/contract.ts";
import { HopFilter, HopWay } from "../codec/hop_filter.ts";
import { LossReports } from "../codec/loss_reports.ts";
import { StreamPlace } from "../codec/stream_memory.ts";
import type { SocketAddress } from "../contract.ts";
import { FaultLimit } from "./fault_limit.ts";

interface Hop {
  readonly id: number;
  readonly filter: HopFilter;
  readonly losses: Readonly<Record<Side, LossReports>>;
  readonly to: Readonly<Record<Side, Deno.NetAddr>>;
  readonly places: Readonly<Record<Side, StreamPlace>>;
}

type LossCommand = Extract<CodecCommand, { type: "loss" }>;

/** What the hops need of a UDP socket; `Deno.DatagramConn` has it. */
export type HopSocket = Pick<Deno.DatagramConn, "addr" | "receive" | "send" | "close">;

export interface CodecHopsPorts {
  onPackets(packets: readonly TranscoderPacket[]): void;
  onLoss(command: LossCommand): void;
  /** Something of ours threw over one datagram, which is lost. */
  onFault(text: string): void;
  /** The socket fails, so that no call of this worker is heard; nothing comes any more. */
  onSocketFailed(error: unknown): void;
}

const HOST = "127.0.0.1";
/** In a row; what the network says of one datagram is over by the next. */
const MOST_RECEIVE_ERRORS = 10;

/**
 * The packets of a codec worker's transcoders by UDP on loopback, straight from and to the workers
 * that relay: no packet passes the main thread. One socket serves all; a side is known by its port.
 */
export class CodecHops {
  readonly #socket: HopSocket;
  readonly #hops = new Map<number, Hop>();
  readonly #byPort = new Map<number, { readonly hop: Hop; readonly side: Side }>();
  readonly #ports: CodecHopsPorts;
  readonly #faults: FaultLimit;
  #isClosed = false;

  constructor(
    ports: CodecHopsPorts,
    socket: HopSocket = Deno.listenDatagram({ transport: "udp", hostname: HOST, port: 0 }),
  ) {
    this.#ports = ports;
    this.#faults = new FaultLimit((text) => ports.onFault(text));
    this.#socket = socket;
    void this.#read();
  }

  get local(): SocketAddress {
    return { address: HOST, port: (this.#socket.addr as Deno.NetAddr).port };
  }

  /** What a command means for the hops. */
  note(command: CodecCommand): void {
    if (command.type === "close") this.#forget(command.id);
    if (command.type !== "open" || !command.hop) return;
    const { id, options, hop: { a, b, passed, places } } = command;
    const hop = {
      id,
      filter: new HopFilter(options, passed),
      losses: { a: new LossReports(options.a.ssrc), b: new LossReports(options.b.ssrc) },
      to: { a: placeOf(a), b: placeOf(b) },
      places: {
        a: new StreamPlace(options.a, places.a),
        b: new StreamPlace(options.b, places.b),
      },
    };
    this.#hops.set(id, hop);
    this.#byPort.set(a.port, { hop, side: "a" });
    this.#byPort.set(b.port, { hop, side: "b" });
  }

  /** Sends what goes by UDP; gives what is left for the main thread, or null. */
  take(event: CodecEvent): CodecEvent | null {
    if (event.type === "failed" || event.type === "fault") this.#forget(event.id);
    if (event.type !== "packets") return event;
    const epoch = Date.now();
    const others = event.packets.filter(({ id, side, bytes }) => {
      const hop = this.#hops.get(id);
      if (!hop) return true;
      hop.places[side].sends(bytes, epoch);
      this.#send(bytes, hop.to[side]);
      return false;
    });
    return others.length > 0 ? { type: "packets", packets: others } : null;
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.close();
  }

  #forget(id: number): void {
    const hop = this.#hops.get(id);
    if (!hop) return;
    this.#hops.delete(id);
    for (const { port } of [hop.to.a, hop.to.b]) this.#byPort.delete(port);
  }

  #send(bytes: Uint8Array, to: Deno.NetAddr): void {
    // A full buffer loses a packet, as networks do.
    this.#socket.send(bytes, to).catch(() => {});
  }

  async #read(): Promise<void> {
    for (let errors = 0; !this.#isClosed;) {
      try {
        const [bytes, from] = await this.#socket.receive();
        errors = 0;
        this.#contain(bytes, from as Deno.NetAddr);
      } catch (error) {
        if (this.#isClosed) return;
        if (++errors > MOST_RECEIVE_ERRORS) return this.#ports.onSocketFailed(error);
      }
    }
  }

  /** One datagram costs no other, whatever it holds. */
  #contain(bytes: Uint8Array, from: Deno.NetAddr): void {
    try {
      this.#receive(bytes, from);
    } catch (error) {
      this.#faults.take(error, performance.now());
    }
  }

  #receive(bytes: Uint8Array, { hostname, port }: Deno.NetAddr): void {
    const found = hostname === HOST ? this.#byPort.get(port) : undefined;
    if (!found) return;
    const { hop, side } = found;
    switch (hop.filter.way(side, bytes)) {
      case HopWay.transcode:
        return this.#ports.onPackets([{ id: hop.id, side, bytes }]);
      case HopWay.pass:
        return this.#send(bytes, hop.to[side === "a" ? "b" : "a"]);
      case HopWay.report: {
        const percent = hop.losses[side].packet(bytes);
        if (percent !== null) this.#ports.onLoss({ type: "loss", id: hop.id, side, percent });
        return;
      }
      case HopWay.drop:
        return;
    }
  }
}

function placeOf({ address, port }: SocketAddress): Deno.NetAddr {
  return { transport: "udp", hostname: address, port };
}
