import { SeededEntropy } from "../../src/core/entropy.ts";
import type {
  HandshakeCommand,
  HandshakeEvent,
  SrtpKeys,
  SrtpProfile,
  WorkerFactory,
} from "../../src/rtp/contract.ts";
import type { SrtpEngine } from "../../src/rtp/srtp/cipher.ts";
import { SrtpReceiver, SrtpSender } from "../../src/rtp/srtp/context.ts";
import { checkOf } from "../bench/relay/greeting.ts";
import { headerOf } from "./fake_phone.ts";

/** Peers by the hundred, which look at each packet they get. */

const SALT_LENGTH: Readonly<Record<SrtpProfile, number>> = { 1: 14, 2: 14, 7: 12, 8: 12 };

/** Keys that follow from a number. */
export function keysOf(seed: number, profile: SrtpProfile): SrtpKeys {
  const entropy = new SeededEntropy(seed + 1);
  const [key, salt] = [profile === 8 ? 32 : 16, SALT_LENGTH[profile]];
  const [localKey, localSalt] = [entropy.bytes(key), entropy.bytes(salt)];
  const [remoteKey, remoteSalt] = [entropy.bytes(key), entropy.bytes(salt)];
  return { profile, localKey, localSalt, remoteKey, remoteSalt };
}

/**
 * Gives keys without a handshake, as soon as the pool has said whom it expects: the peers here have
 * no DTLS of their own.
 */
export function keysAtOnce(
  keysFor: (endpoint: number) => SrtpKeys,
): WorkerFactory<HandshakeCommand, HandshakeEvent> {
  return (_, listener) => ({
    send: (command) =>
      queueMicrotask(() => {
        if (command.type === "start") {
          const certificate = { certificatePem: "", keyPem: "", fingerprint: "AA" };
          listener.onEvent({ type: "ready", certificate, library: "none" });
        } else if (command.type === "fingerprints") {
          const { endpoint } = command;
          listener.onEvent({ type: "keys", endpoint, keys: keysFor(endpoint) });
        }
      }),
    terminate: () => {},
  });
}

export interface LoadPeerKeys {
  readonly engine: SrtpEngine;
  /** As the endpoint has them. */
  readonly keys: SrtpKeys;
}

export class LoadPeer {
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #sender: SrtpSender | null;
  readonly #receiver: SrtpReceiver | null;
  #to: Deno.NetAddr | null = null;
  #sequence: number;
  #first = -1;
  #highest = -1;
  received = 0;
  /** Not protected with the keys agreed on, or under an index that was there before. */
  refused = 0;
  answers = 0;
  /** Longest time between two packets since it was set to 0, ms. */
  longestGap = 0;
  #heardAt = 0;

  /** @param sequence of the first packet */
  constructor(readonly ssrc: number, sequence: number, secret: LoadPeerKeys | null) {
    this.#sequence = sequence;
    this.#sender = this.#receiver = null;
    if (secret !== null) {
      const { engine, keys: { profile, localKey, localSalt, remoteKey, remoteSalt } } = secret;
      this.#sender = new SrtpSender(engine.cipher(profile, remoteKey, remoteSalt));
      this.#receiver = new SrtpReceiver(engine.cipher(profile, localKey, localSalt));
    }
    this.#pump();
  }

  get port(): number {
    return (this.#socket.addr as Deno.NetAddr).port;
  }

  /** Packets missing among those that came, by their sequence numbers. */
  get lost(): number {
    return this.#first < 0 ? 0 : this.#highest - this.#first + 1 - this.received;
  }

  aim(port: number): void {
    this.#to = { transport: "udp", hostname: "127.0.0.1", port };
  }

  check(ice: { readonly iceUfrag: string; readonly icePwd: string }): void {
    this.#send(checkOf(ice).slice());
  }

  /** The next RTP packet, PCMU unless another payload type and length are told. */
  play(payloadType = 0, size = 40): void {
    const packet = new Uint8Array(12 + size + 20);
    const view = new DataView(packet.buffer);
    packet[0] = 0x80;
    packet[1] = payloadType;
    view.setUint16(2, this.#sequence & 0xffff);
    view.setUint32(4, this.#sequence * 160);
    view.setUint32(8, this.ssrc);
    this.#sequence++;
    const length = this.#sender?.protectRtp(packet, 0, 12 + size) ?? 12 + size;
    this.#send(packet.subarray(0, length));
  }

  close(): void {
    this.#socket.close();
  }

  #send(data: Uint8Array): void {
    if (this.#to !== null) this.#socket.send(data, this.#to).catch(() => {});
  }

  #take(data: Uint8Array): void {
    if (data[0]! < 4) this.answers++;
    if (data[0]! < 128 || (data[1]! >= 192 && data[1]! < 224)) return;
    const size = this.#receiver?.unprotectRtp(data, 0, data.length) ?? data.length;
    if (size < 0) {
      this.refused++;
      return;
    }
    const { sequence } = headerOf(data);
    if (this.#first < 0) this.#first = this.#highest = sequence;
    const ahead = (sequence - this.#highest) << 16 >> 16;
    if (ahead > 0) this.#highest += ahead;
    const now = performance.now();
    if (this.received++ > 0) this.longestGap = Math.max(this.longestGap, now - this.#heardAt);
    this.#heardAt = now;
  }

  async #pump(): Promise<void> {
    try {
      for await (const [data] of this.#socket) this.#take(data);
    } catch {
      // Closed.
    }
  }
}
