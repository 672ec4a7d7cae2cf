import assert from "node:assert/strict";
import { enlargeReceiveBuffer } from "../../src/sip/io/receive_buffer.ts";

/** What the system gives a socket, bytes, where nothing else is said. */
const USUAL_BYTES = 212_992;
const DATAGRAMS = 1_000;

function open(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}

/** How many of many datagrams a socket keeps that nobody reads meanwhile. */
async function kept(socket: Deno.DatagramConn): Promise<number> {
  const sender = open();
  const bytes = new Uint8Array(600);
  for (let i = 0; i < DATAGRAMS; i++) await sender.send(bytes, socket.addr);
  await sender.send(new Uint8Array(1), socket.addr);
  sender.close();
  const counted = (async () => {
    let count = 0;
    try {
      for (const buffer = new Uint8Array(2_000);; count++) {
        const [read] = await socket.receive(buffer);
        if (read.length === 1) return count;
      }
    } catch {
      return count;
    }
  })();
  // What was dropped may be the last one, too.
  const timer = setTimeout(() => socket.close(), 2_000);
  const count = await counted;
  clearTimeout(timer);
  return count;
}

const limit = Deno.build.os === "linux"
  ? Number(Deno.readTextFileSync("/proc/sys/net/core/rmem_max"))
  : 0;

Deno.test({
  name: "UDP: a socket of ours has room for what comes while the process is busy",
  // Elsewhere, and where the system allows no more than usual, nothing can be shown.
  ignore: limit < 4 * USUAL_BYTES,
  async fn() {
    const plain = open();
    const few = await kept(plain);
    const large = open();
    const bytes = enlargeReceiveBuffer(large);
    assert.ok(bytes !== undefined && bytes > 2 * USUAL_BYTES, `${bytes} bytes`);
    const many = await kept(large);
    assert.ok(many > 2 * few, `${many} of ${DATAGRAMS} kept, ${few} without`);
    for (const socket of [plain, large]) {
      try {
        socket.close();
      } catch { /* It is closed. */ }
    }
  },
});
