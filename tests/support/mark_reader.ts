import type { SocketAddress } from "../../src/rtp/contract.ts";
import { writeSockaddr } from "../../src/rtp/io/ffi/addresses.ts";
import { Arena } from "../../src/rtp/io/ffi/arena.ts";
import { Descriptors } from "../../src/rtp/io/ffi/descriptors.ts";
import { IPPROTO_IP, IPPROTO_IPV6, openLibc, SOL_SOCKET } from "../../src/rtp/io/ffi/libc.ts";
import { LEG_BUFFER, Sockets } from "../../src/rtp/io/ffi/sockets.ts";

const IP_RECVTOS = 13;
const IPV6_RECVTCLASS = 66;
const SO_RCVTIMEO = 20;
const F_SETFL = 4;
const O_RDWR = 2;
const SECONDS = 30n;
const ROOM = 2048;

export interface Marked {
  readonly data: Uint8Array;
  /** Code point that the datagram came with. */
  readonly dscp: number;
}

function openSocketCalls() {
  return Deno.dlopen("libc.so.6", {
    recvmsg: { parameters: ["i32", "u64", "i32"], result: "i64", nonblocking: true },
    fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  });
}

/** A UDP socket that tells how what it gets is marked. Linux only. */
export class MarkReader {
  readonly #calls = openSocketCalls();
  readonly #libc = openLibc();
  readonly #arena = new Arena(8192);
  readonly #descriptors = new Descriptors(Descriptors.memory());
  readonly #socket: number;
  readonly local: SocketAddress;
  readonly #message: number;
  readonly #control: number;
  readonly #data: number;
  readonly #to: number;

  constructor(address: string) {
    const arena = this.#arena;
    const sockets = new Sockets(this.#libc, arena, this.#descriptors);
    const { descriptor, local } = sockets.open(address, 0, LEG_BUFFER);
    this.#socket = descriptor;
    this.local = local;
    sockets.setOption(descriptor, IPPROTO_IP, IP_RECVTOS, 1);
    sockets.setOption(descriptor, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    this.#calls.symbols.fcntl(descriptor, F_SETFL, O_RDWR);
    [this.#message, this.#control] = [arena.allocate(64), arena.allocate(64)];
    [this.#data, this.#to] = [arena.allocate(ROOM), arena.allocate(32)];
    const time = arena.allocate(16);
    arena.view.setBigInt64(time, SECONDS, true);
    this.#libc.setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, arena.address(time), 16);
    const vector = arena.allocate(16);
    arena.setPointer(vector, this.#data);
    arena.view.setBigUint64(vector + 8, BigInt(ROOM), true);
    arena.setPointer(this.#message + 16, vector);
    arena.view.setBigUint64(this.#message + 24, 1n, true);
    arena.setPointer(this.#message + 32, this.#control);
  }

  send(data: Uint8Array, port: number): void {
    const arena = this.#arena;
    const length = writeSockaddr(arena, this.#to, this.local.address, port);
    arena.bytes.set(data, this.#data);
    const [from, to] = [arena.address(this.#data), arena.address(this.#to)];
    this.#libc.sendto(this.#socket, from, BigInt(data.length), 0, to, length);
  }

  /** The next datagram; throws where none comes for long. */
  async receive(): Promise<Marked> {
    const { view, bytes } = this.#arena;
    view.setBigUint64(this.#message + 40, 64n, true);
    const length = Number(
      await this.#calls.symbols.recvmsg(this.#socket, this.#arena.address(this.#message), 0),
    );
    if (length < 0) throw new Error(`no datagram within ${SECONDS} s`);
    // One control message: length, level, type; of IPv4 one byte, of IPv6 four.
    if (view.getBigUint64(this.#message + 40, true) < 17n) throw new Error("no mark was told");
    const dscp = bytes[this.#control + 16]! >> 2;
    return { data: bytes.slice(this.#data, this.#data + length), dscp };
  }

  close(): void {
    this.#descriptors.closeAll(this.#libc);
    this.#calls.close();
  }
}
