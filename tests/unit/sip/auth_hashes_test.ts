import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "../../support/dice.ts";
import { md5Hex } from "../../../src/sip/auth/md5.ts";
import { BLOCK_BYTES, readPrefix, sha256Hex } from "../../../src/sip/auth/sha256.ts";

/** Our hashes against OpenSSL's, at all lengths about the ends of blocks and at random ones. */

function expected(algorithm: "md5" | "sha256", bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest("hex");
}

Deno.test("MD5 and SHA-256 are what OpenSSL says, at every length up to four blocks", () => {
  for (let length = 0; length <= 4 * BLOCK_BYTES; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 167 + length) & 255);
    assert.equal(md5Hex(bytes), expected("md5", bytes), `MD5 of ${length} bytes`);
    assert.equal(sha256Hex(bytes), expected("sha256", bytes), `SHA-256 of ${length} bytes`);
  }
});

Deno.test("MD5 and SHA-256 of random bytes; SHA-256 after a prefix that was read before", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_000 }), fc.nat(5), (bytes, blocks) => {
      assert.equal(md5Hex(bytes), expected("md5", bytes));
      const head = bytes.subarray(0, Math.min(blocks, Math.floor(bytes.length / 64)) * 64);
      const prefix = readPrefix(head);
      assert.equal(sha256Hex(bytes.subarray(head.length), prefix), expected("sha256", bytes));
      assert.equal(sha256Hex(bytes), expected("sha256", bytes), "nothing of the prefix is left");
    }),
    { numRuns: 500 },
  );
});
