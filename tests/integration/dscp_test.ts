import assert from "node:assert/strict";
import { PhoneLeg } from "../support/phone_leg.ts";
import { startPool } from "../support/media_legs.ts";

const IPPROTO_IP = 0;
const IP_TOS = 1;
const MOST_DESCRIPTORS = 1024;

/** Marks of all sockets of this process that have one: the workers' threads share its table. */
function marks(): number[] {
  const libc = Deno.dlopen("libc.so.6", {
    getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  });
  try {
    const found: number[] = [];
    for (let descriptor = 0; descriptor < MOST_DESCRIPTORS; descriptor++) {
      const value = new Int32Array(1);
      const size = Int32Array.of(4);
      const [a, b] = [new Uint8Array(value.buffer), new Uint8Array(size.buffer)];
      if (libc.symbols.getsockopt(descriptor, IPPROTO_IP, IP_TOS, a, b) !== 0) continue;
      if (value[0] !== 0) found.push(value[0]! >> 2);
    }
    return found.sort();
  } finally {
    libc.close();
  }
}

Deno.test({
  name: "packets to phones are marked: audio expedited, video assured (RFC 8837 5)",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const before = marks();
    const pool = await startPool(1, { ffi: true });
    try {
      assert.match(pool.workers()[0]!.shell, /^ffi/);
      assert.deepEqual(marks(), before, "what browsers get is not marked");
      const phone = new PhoneLeg(pool, {}, undefined, ["audio", "video"]);
      await phone.opened();
      // RTP and RTCP of each.
      assert.deepEqual(marks(), [...before, 34, 34, 46, 46].sort());
      phone.close();
    } finally {
      await pool.close();
    }
    assert.deepEqual(marks(), before);
  },
});
