import { SeededEntropy } from "../../src/core/entropy.ts";
import type { LocalTransport } from "../../src/rtp/media_port.ts";
import type { Leg } from "./media_legs.ts";

/** One in five. */
const LOSS = 0.2;

/**
 * A path that loses some of the DTLS datagrams both ways, and no others: a UDP relay on loopback
 * with a socket of its own for each sender, as a NAT would have.
 */
export class LossyPath {
  readonly #front: Deno.DatagramConn;
  readonly #backs = new Map<number, Deno.DatagramConn>();
  readonly #chance: SeededEntropy;
  readonly #loss: number;
  readonly #target: Deno.NetAddr;
  readonly #hostname: string;
  lost = 0;

  /**
   * @param loss share of DTLS datagrams that are lost, 0 to 1
   * @param hostname where the path itself is
   */
  constructor(
    target: { address: string; port: number },
    loss: number,
    seed: number,
    hostname = "127.0.0.1",
  ) {
    this.#hostname = hostname;
    this.#target = { transport: "udp", hostname: target.address, port: target.port };
    this.#loss = loss;
    this.#chance = new SeededEntropy(seed);
    this.#front = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
    this.#pump(this.#front, (data, from) => {
      const back = this.#back(from);
      if (this.companion !== null && isDtls(data)) {
        back.send(this.companion, this.#target).catch(() => {});
      }
      back.send(data, this.#target).catch(() => {});
    });
  }

  /** The far side of a leg that is told this place instead of its own. */
  static before(
    leg: Leg,
    local: LocalTransport,
    seed: number,
    hostname?: string,
    loss = LOSS,
  ): LossyPath {
    const path = new LossyPath(local.candidates[0]!, loss, seed, hostname);
    const candidates = [{ address: path.#hostname, port: path.port }];
    leg.local = () => Promise.resolve({ ...local, candidates });
    return path;
  }

  /** From each sender's own address, as we see it. */
  async forge(data: Uint8Array): Promise<void> {
    for (const socket of this.#backs.values()) await socket.send(data, this.#target);
  }

  /** With each DTLS datagram of a sender, and in front of it, comes this from the same address. */
  companion: Uint8Array | null = null;

  get port(): number {
    return (this.#front.addr as Deno.NetAddr).port;
  }

  close(): void {
    this.#front.close();
    for (const socket of this.#backs.values()) socket.close();
  }

  #back(from: Deno.NetAddr): Deno.DatagramConn {
    let socket = this.#backs.get(from.port);
    if (socket === undefined) {
      socket = Deno.listenDatagram({ transport: "udp", hostname: this.#hostname, port: 0 });
      this.#backs.set(from.port, socket);
      this.#pump(socket, (data) => {
        this.#front.send(data, from).catch(() => {});
      });
    }
    return socket;
  }

  async #pump(
    socket: Deno.DatagramConn,
    pass: (data: Uint8Array, from: Deno.NetAddr) => void,
  ): Promise<void> {
    try {
      for await (const [data, from] of socket) {
        if (isDtls(data) && this.#chance.fraction() < this.#loss) this.lost++;
        else pass(data, from as Deno.NetAddr);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}

function isDtls(data: Uint8Array): boolean {
  return data[0]! >= 20 && data[0]! < 64;
}
