import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Child } from "../support/child_process.ts";
import { needs } from "../support/needs.ts";

const PROGRAM = fileURLToPath(new URL("../support/openssl_exit.ts", import.meta.url));
const { ignore, path } = needs("libcrypto");

for (const opener of ["libcrypto", "libssl"]) {
  Deno.test({
    name: `${opener}, opened by us, is not taken down at exit, under workers that are in it`,
    ignore: Deno.build.os !== "linux" || ignore || path !== "libcrypto.so.3",
    async fn() {
      await using child = new Child(Deno.execPath(), ["run", "-A", "--no-check", PROGRAM, opener]);
      const { code, signal } = await child.ended();
      assert.deepEqual([code, signal], [0, null], child.output);
    },
  });
}
