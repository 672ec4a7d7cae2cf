import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { AesCmCipher } from "../../src/rtp/srtp/aes_cm.ts";
import { SrtpReceiver, SrtpSender } from "../../src/rtp/srtp/context.ts";
import { makeTable } from "../bench/relay/make_table.ts";
import { readTable, splitTable, type TableLeg } from "../bench/relay/table.ts";

/** `relay_table.ts` as those who bring their own generator use it. */

const PROGRAM = fileURLToPath(new URL("../bench/relay_table.ts", import.meta.url));
const SIZE = 172;

Deno.test("calls are dealt out to workers by the port that they share", () => {
  const spec = { calls: 6, profiles: [1, 1], shared: [true, true], firstPort: 20_000 } as const;
  const two = makeTable({ ...spec, workers: 2 });
  const parts = splitTable(two, 2);
  assert.deepEqual(parts.map((part) => part.trim().split("\n").length), [3, 3]);
  for (const part of parts) {
    assert.equal(new Set(readTable(part).map(({ relayPort }) => relayPort)).size, 2);
  }
  assert.deepEqual(splitTable(makeTable(spec), 2), [makeTable(spec)], "one port is one worker's");
  assert.throws(() => readTable("1 2 3"), /3 columns, expected 10/);
});

/** A free block of ports below those that the system gives out. */
function freePorts(): number {
  for (let first = 11_000; first < 30_000; first += 500) {
    try {
      const sockets = [first - 2, first - 1, first, first + 1].map(listen);
      for (const socket of sockets) socket.close();
      return first;
    } catch {
      // Somebody else's.
    }
  }
  throw new Error("no free ports");
}

function listen(port: number): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port });
}

function packet(sequence: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SIZE + 32).fill(0x5a);
  bytes.set([0x80, 0, sequence >> 8, sequence & 255, 0, 0, 0, sequence, 0, 1, 2, 3]);
  return bytes;
}

/** Sends from one leg, and gives what comes out at the other. */
async function pass(
  [from, to]: readonly [TableLeg, TableLeg],
  [near, far]: readonly [Deno.DatagramConn, Deno.DatagramConn],
): Promise<Uint8Array> {
  const relay: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port: from.relayPort };
  const sender = new SrtpSender(new AesCmCipher(from.keys!.remoteKey, from.keys!.remoteSalt));
  const arrived = far.receive(new Uint8Array(2048));
  const bytes = packet(7);
  const length = sender.protectRtp(bytes, 0, SIZE);
  await near.send(bytes.subarray(0, length), relay);
  const [data] = await arrived;
  if (to.keys === null) return data;
  const receiver = new SrtpReceiver(new AesCmCipher(to.keys.localKey, to.keys.localSalt));
  return data.subarray(0, receiver.unprotectRtp(data, 0, data.length));
}

Deno.test({
  name: "relay_table relays a table with other keys on the other side, and ends on SIGTERM",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const firstPort = freePorts();
    const table = makeTable({ calls: 1, profiles: [1, 0], shared: [true, true], firstPort });
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, table);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", PROGRAM, file],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const legs = readTable(table) as [TableLeg, TableLeg];
    const sockets = [listen(legs[0].peerPort), listen(legs[1].peerPort)] as const;
    try {
      const said = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      while (!text.includes("relay up")) {
        const { value, done } = await said.read();
        assert(!done, `it ended: ${text}`);
        text += value;
      }
      assert.deepEqual(await pass(legs, sockets), packet(7).subarray(0, SIZE));
      child.kill("SIGTERM");
      assert.equal((await child.status).code, 0);
      await said.cancel();
    } finally {
      for (const socket of sockets) socket.close();
      await Deno.remove(file);
    }
  },
});
