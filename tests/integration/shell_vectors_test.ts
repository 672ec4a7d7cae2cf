import assert from "node:assert/strict";
import type { RunningMediaPool } from "../../src/rtp/io/start_pool.ts";
import type { RemoteRtp, RtpEndpointHandle, SdesKey } from "../../src/rtp/rtp_media_port.ts";
import { AesCmCipher } from "../../src/rtp/srtp/aes_cm.ts";
import { startPool } from "../support/media_legs.ts";

/**
 * The same whole packets through every shell with every SRTP engine that it can have, over real
 * sockets. (libcrypto works in memory of its own, which the portable shell has not.)
 */

interface Combination {
  readonly name: string;
  readonly shell: RegExp;
  readonly options: { readonly ffi: boolean; readonly typescriptSrtp?: boolean };
  readonly isHere: boolean;
}

const HAS_FFI = Deno.build.os === "linux";
const COMBINATIONS: readonly Combination[] = [
  {
    name: "portable shell, SRTP in TypeScript",
    shell: /^portable, typescript$/,
    options: { ffi: false },
    isHere: true,
  },
  {
    name: "fast shell, SRTP in TypeScript",
    shell: /^ffi, typescript$/,
    options: { ffi: true, typescriptSrtp: true },
    isHere: HAS_FFI,
  },
  {
    name: "fast shell, libcrypto",
    shell: /^ffi, libcrypto$/,
    options: { ffi: true },
    isHere: HAS_FFI,
  },
];

/** The reference vector of the cipher and authentication of RFC 3711, master key to datagram. */
const KEY = hex("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6");
const HEADER = "800f1234decafbadcafebabe";
const PLAIN = hex(HEADER + "ab".repeat(16));
const SEALED = `${HEADER}4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb`;
/** What the vector's header says. */
const PAYLOAD_TYPE = 15;
const SUITES = [
  { suite: "AES_CM_128_HMAC_SHA1_80", sealed: hex(SEALED) },
  { suite: "AES_CM_128_HMAC_SHA1_32", sealed: hex(SEALED.slice(0, -12)) },
] as const;

function hex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text.match(/../g)!, (byte) => parseInt(byte, 16));
}

/** A socket that stands for a phone, and the leg that it talks with. */
class Side {
  readonly socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly handle: RtpEndpointHandle;
  readonly #opened = Promise.withResolvers<number>();

  constructor(pool: RunningMediaPool) {
    const options = { label: "vector", towards: "127.0.0.1", media: ["audio"] } as const;
    this.handle = pool.openRtp(options, (event) => {
      if (event.type === "opened") this.#opened.resolve(event.local[0]!.port);
      if (event.type === "failed") this.#opened.reject(new Error(event.text));
    });
  }

  async up(key: SdesKey | null): Promise<void> {
    await this.#opened.promise;
    const remote: RemoteRtp = {
      address: "127.0.0.1",
      port: (this.socket.addr as Deno.NetAddr).port,
      // Reports go where nobody listens: they are not of this test.
      rtcpPort: 9,
      keys: key && { send: key, receive: key },
      payloads: [{ payloadType: PAYLOAD_TYPE, codec: "PCMU", clockRate: 8000 }],
      hasFeedback: false,
    };
    this.handle.setRemote([remote]);
  }

  async send(bytes: Uint8Array): Promise<void> {
    const port = await this.#opened.promise;
    await this.socket.send(bytes, { transport: "udp", hostname: "127.0.0.1", port });
  }

  async hears(): Promise<Uint8Array> {
    return (await this.socket.receive())[0];
  }

  close(): void {
    this.handle.close();
    this.socket.close();
  }
}

function changed(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.map((byte, i) => i === at ? byte ^ 1 : byte);
}

/** The packet after the vector's, under the same key. */
function next(suite: SdesKey["suite"]): Uint8Array {
  const tag = suite === "AES_CM_128_HMAC_SHA1_80" ? 10 : 4;
  const cipher = new AesCmCipher(KEY.subarray(0, 16), KEY.subarray(16), tag);
  const packet = Uint8Array.from([...changed(PLAIN, 3), ...new Uint8Array(tag)]);
  return packet.subarray(0, cipher.sealRtp(packet, 0, 12, PLAIN.length, 0));
}

for (const { name, shell, options, isHere } of COMBINATIONS) {
  Deno.test({ name: `vectors: ${name}`, ignore: !isHere }, async (t) => {
    const pool = await startPool(1, options);
    try {
      assert.match(pool.workers()[0]!.shell, shell);
      for (const { suite, sealed } of SUITES) {
        const key = { suite, material: KEY };
        await t.step(`${suite}: opened, and nothing that was changed`, async () => {
          const [secure, clear] = [new Side(pool), new Side(pool)];
          await Promise.all([secure.up(key), clear.up(null)]);
          secure.handle.connect(clear.handle.token);
          clear.handle.connect(secure.handle.token);
          for (const at of [3, 12, 27, sealed.length - 1]) await secure.send(changed(sealed, at));
          await secure.send(sealed.subarray(0, sealed.length - 1));
          await secure.send(sealed);
          assert.deepEqual(await clear.hears(), PLAIN, "the first to arrive is the good one");
          await secure.send(sealed);
          await secure.send(next(suite));
          assert.equal((await clear.hears())[3], 0x35, "once only: what comes next is another");
          await clear.send(PLAIN);
          assert.deepEqual(await secure.hears(), sealed, "and back it is sealed the same");
          for (const side of [secure, clear]) side.close();
        });
      }
    } finally {
      await pool.close();
    }
  });
}
