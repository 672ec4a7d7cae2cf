import assert from "node:assert/strict";
import { fuzzServer, readCorpus } from "../fuzz/campaign.ts";
import { Lab } from "../support/lab.ts";

/** A short run of the fuzzer; `deno task fuzz` goes on for longer and with other seeds. */

const SEED = 20261120;
const MESSAGES = 2_000;

Deno.test("the server outlives mutated messages, by datagram, stream and WebSocket", async () => {
  assert(readCorpus().length >= 10);
  // Ends with code 0 and without an error in its log, or the test fails.
  await using lab = await Lab.start({ env: { PORTZERO_LOG_LEVEL: "info" } });
  const goesOn = (sent: number) => sent < MESSAGES;
  const { sent, forwarded } = await fuzzServer(lab, { seed: SEED, goesOn });
  assert.equal(sent, MESSAGES);
  assert(forwarded > MESSAGES / 50, `only ${forwarded} came past the door`);
});
