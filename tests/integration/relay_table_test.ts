import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { isCompound, RTCP_SENDER_REPORT } from "../../src/rtp/rtcp/rtcp.ts";
import { RtcpWriter } from "../../src/rtp/rtcp/rtcp_writer.ts";
import { choose } from "../../src/rtp/io/ffi/choose.ts";
import type { SrtpCipher } from "../../src/rtp/srtp/cipher.ts";
import { SrtpReceiver, SrtpSender } from "../../src/rtp/srtp/context.ts";
import { makeTable, type TableSpec } from "../bench/relay/make_table.ts";
import { readTable, splitTable, type TableLeg } from "../bench/relay/table.ts";

/** `relay_table.ts` as those who bring their own generator use it. */

const PROGRAM = fileURLToPath(new URL("../bench/relay_table.ts", import.meta.url));
const SIZE = 172;
/** For all of it; what does not come until then does not come, ms. */
const LIMIT = 60_000;

Deno.test("calls are dealt out to workers by the port that they share", () => {
  const spec = { calls: 6, profiles: [1, 1], shared: [true, true], firstPort: 20_000 } as const;
  const two = makeTable({ ...spec, workers: 2 });
  const parts = splitTable(two, 2);
  assert.deepEqual(parts.map((part) => part.trim().split("\n").length), [3, 3]);
  for (const part of parts) {
    assert.equal(new Set(readTable(part).map(({ relayPort }) => relayPort)).size, 2);
  }
  assert.deepEqual(splitTable(makeTable(spec), 2), [makeTable(spec)], "one port is one worker's");
  const mixed = makeTable({ ...spec, shared: [false, true] });
  assert.deepEqual(splitTable(mixed, 2), [mixed], "whichever side has it in common");
  const apart = makeTable({ ...spec, shared: [false, false] });
  assert.equal(splitTable(apart, 4).length, 4);
  assert.throws(() => readTable("1 2 3"), /3 columns, expected 10/);
});

const PROFILES = [[0, 1], [1, 2], [2, 3], [3, 0]] as const;
const SHARED = [[true, true], [true, false], [false, true], [false, false]] as const;
/** Ports of a table of two calls, shared ones in front. */
const STEP = 20;

/** All profiles on both sides, with shared ports and ports of their own. */
function allTables(firstPort: number): string {
  const specs = PROFILES.flatMap((profiles) => SHARED.map((shared) => ({ profiles, shared })));
  return specs.map((spec, i): TableSpec => ({ ...spec, calls: 2, firstPort: firstPort + i * STEP }))
    .map(makeTable).join("");
}

/** A table on free ports below those that the system gives out, and sockets of its far ends. */
function openTable(): { table: string; legs: TableLeg[]; sockets: Deno.DatagramConn[] } {
  for (let firstPort = 11_002; firstPort < 30_000; firstPort += 500) {
    const table = allTables(firstPort);
    const legs = readTable(table);
    const open: Deno.DatagramConn[] = [];
    try {
      for (const { peerPort } of legs) open.push(listen(peerPort));
      const relays = new Set(legs.map(({ relayPort }) => relayPort));
      const tried = [...relays].map(listen);
      for (const socket of tried) socket.close();
      return { table, legs, sockets: open };
    } catch {
      // Somebody else's.
      for (const socket of open) socket.close();
    }
  }
  throw new Error("no free ports");
}

function listen(port: number): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port });
}

/** SRTP of a far end, by the library of the fast shell. */
class FarEnd {
  readonly #memory: Uint8Array;
  readonly #at: number;
  readonly #sender: SrtpSender | null;
  readonly #receiver: SrtpReceiver | null;

  constructor(memory: Uint8Array, at: number, cipher: Cipher, { keys }: TableLeg) {
    this.#memory = memory;
    this.#at = at;
    this.#sender = keys && new SrtpSender(cipher(keys.profile, keys.remoteKey, keys.remoteSalt));
    this.#receiver = keys && new SrtpReceiver(cipher(keys.profile, keys.localKey, keys.localSalt));
  }

  seal(plain: Uint8Array, isControl: boolean): Uint8Array {
    const [memory, at, sender] = [this.#memory, this.#at, this.#sender];
    memory.set(plain, at);
    const { length } = plain;
    const size = sender === null
      ? length
      : isControl
      ? sender.protectRtcp(memory, at, length)
      : sender.protectRtp(memory, at, length);
    return memory.slice(at, at + size);
  }

  open(bytes: Uint8Array, isControl: boolean): Uint8Array {
    const [memory, at, receiver] = [this.#memory, this.#at, this.#receiver];
    memory.set(bytes, at);
    const { length } = bytes;
    const size = receiver === null
      ? length
      : isControl
      ? receiver.unprotectRtcp(memory, at, length)
      : receiver.unprotectRtp(memory, at, length);
    assert(size >= 0, "it is not authentic");
    return memory.slice(at, at + size);
  }
}

type Cipher = (
  profile: NonNullable<TableLeg["keys"]>["profile"],
  key: Uint8Array,
  salt: Uint8Array,
) => SrtpCipher;

function isControl(bytes: Uint8Array): boolean {
  return bytes[1]! >= 192 && bytes[1]! < 224;
}

function packet(leg: number, sequence: number): Uint8Array {
  const bytes = new Uint8Array(SIZE).fill(0x5a);
  bytes.set([0x80, 0, sequence >> 8, sequence & 255, 0, 0, 0, sequence, 0, 1, 0, leg]);
  bytes[12] = leg;
  return bytes;
}

function report(leg: number): Uint8Array {
  const memory = new Uint8Array(256);
  const ssrc = 0x10000 + leg;
  const writer = new RtcpWriter(memory).begin(0);
  writer.senderReport(ssrc, { seconds: 1, fraction: 2 }, 3, 1, SIZE - 12).sdes(ssrc, `leg ${leg}`);
  return memory.slice(0, writer.length);
}

/** What comes next of one of the two protocols; RTCP that was not asked for may come any time. */
async function next(socket: Deno.DatagramConn, isWanted: boolean): Promise<Uint8Array> {
  while (true) {
    const [bytes] = await socket.receive(new Uint8Array(2048));
    if (isControl(bytes) === isWanted) return bytes.slice();
  }
}

Deno.test({
  name: "relay_table relays RTP and RTCP of all profiles and kinds of ports, and ends on SIGTERM",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const choice = choose(null);
    assert(choice.shell === "ffi", choice.why);
    const { arena, srtp } = choice;
    const { table, legs, sockets } = openTable();
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, table);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", PROGRAM, file, "--workers", "2"],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const cipher: Cipher = (profile, key, salt) => srtp.cipher(profile, key, salt);
    const room = arena.allocate(2048);
    const ends = legs.map((leg) => new FarEnd(arena.bytes, room, cipher, leg));
    const close = () => sockets.splice(0).forEach((socket) => socket.close());
    const limit = setTimeout(close, LIMIT);
    try {
      const said = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      while (text.split("relay up").length < 3) {
        const { value, done } = await said.read();
        assert(!done, `it ended: ${text}`);
        text += value;
      }
      for (const [leg, { relayPort }] of legs.entries()) {
        const far = leg ^ 1;
        const relay: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port: relayPort };
        const send = (bytes: Uint8Array) => sockets[leg]!.send(bytes, relay);
        for (const sequence of [7, 8]) {
          const sent = packet(leg, sequence);
          await send(ends[leg]!.seal(sent, false));
          const got = ends[far]!.open(await next(sockets[far]!, false), false);
          assert.deepEqual(got, sent, `leg ${leg}: ${table.split("\n")[leg >> 1]}`);
        }
        await send(ends[leg]!.seal(report(leg), true));
        const got = ends[far]!.open(await next(sockets[far]!, true), true);
        assert(isCompound(got, 0, got.length) && got[1] === RTCP_SENDER_REPORT);
        assert.equal(new DataView(got.buffer).getUint32(4), 0x10000 + leg);
        // A SIP leg hears one name of ours, whoever sends.
        const names = new TextDecoder("latin1").decode(got);
        assert(legs[far]!.isShared || names.includes("pz"), `leg ${far} is no SIP leg: ${names}`);
      }
      child.kill("SIGTERM");
      assert.equal((await child.status).code, 0);
      await said.cancel();
    } finally {
      clearTimeout(limit);
      close();
      await Deno.remove(file);
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
    }
  },
});
