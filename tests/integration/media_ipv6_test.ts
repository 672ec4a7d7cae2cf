import assert from "node:assert/strict";
import { ATTRIBUTE, BINDING_REQUEST, readStun, StunWriter } from "../../src/rtp/ice/stun.ts";
import { HmacSha1 } from "../../src/rtp/srtp/hmac_sha1.ts";
import { Leg, startPool } from "../support/media_legs.ts";

function hasIpv6(): boolean {
  try {
    Deno.listenDatagram({ transport: "udp", hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

for (const ffi of [true, false]) {
  Deno.test({
    name: `${ffi ? "fast" : "portable"} shell: an ICE check over IPv6 is answered with its address`,
    ignore: !hasIpv6() || (ffi && Deno.build.os !== "linux"),
    async fn() {
      const pool = await startPool(1, { ffi, addresses: ["127.0.0.1", "::1"] });
      const socket = Deno.listenDatagram({ transport: "udp", hostname: "::1", port: 0 });
      try {
        const leg = new Leg(pool, "leg");
        const { candidates, iceUfrag, icePwd } = await leg.local();
        assert.deepEqual(candidates.map(({ address }) => address), ["127.0.0.1", "::1"]);
        const request = new Uint8Array(300);
        const id = Uint8Array.from({ length: 12 }, (_, i) => i);
        const writer = new StunWriter(request, 0, BINDING_REQUEST, id, 0);
        writer.attribute(ATTRIBUTE.username, new TextEncoder().encode(`${iceUfrag}:peer`));
        writer.attribute(ATTRIBUTE.useCandidate, new Uint8Array(0));
        const length = writer.seal(new HmacSha1(new TextEncoder().encode(icePwd)));
        await socket.send(request.subarray(0, length), {
          transport: "udp",
          hostname: "::1",
          port: candidates[1]!.port,
        });
        const [answer] = await socket.receive();
        const read = readStun(answer, 0, answer.length);
        assert.ok(read, "an answer");
        const mapped = answer.slice(read.mappedAddress, read.mappedAddress + 20);
        const { port } = socket.addr as Deno.NetAddr;
        assert.deepEqual([mapped[1], (mapped[2]! << 8 | mapped[3]!) ^ 0x2112], [2, port]);
        // ::1 XOR magic cookie and transaction id.
        assert.deepEqual(mapped.slice(4, 8), Uint8Array.of(0x21, 0x12, 0xa4, 0x42));
        assert.equal(mapped[19], 11 ^ 1);
        const ice = await leg.until("ice", ({ state }) => state === "connected");
        assert.equal(ice.remoteAddress, `[::1]:${port}`);
        leg.handle.close();
      } finally {
        socket.close();
        await pool.close();
      }
    },
  });
}
