import { Lab } from "../support/lab.ts";
import { fuzzServer } from "./campaign.ts";

/** `deno task fuzz [SECONDS] [SEED]`: throws mutated messages at a server of its own. */

const [seconds = "60", seed = String(crypto.getRandomValues(new Uint32Array(1))[0])] = Deno.args;
const PROGRESS = 10_000;

const end = performance.now() + Number(seconds) * 1000;
let told = 0;
console.log(`fuzzing for ${seconds} s with seed ${seed}`);
await using lab = await Lab.start({
  env: { PORTZERO_MEDIA_ADDRESSES: "127.0.0.1", PORTZERO_LOG_LEVEL: "info" },
});
const { sent, forwarded } = await fuzzServer(lab, {
  seed: Number(seed),
  goesOn: (sent) => {
    if (sent >= told + PROGRESS) console.log(`${told = sent} messages`);
    return performance.now() < end;
  },
});
const { errors } = lab;
if (errors.length > 0) throw new Error(`seed ${seed}: errors in the log:\n${errors.join("\n")}`);
console.log(`${sent} messages, ${forwarded} forwarded, and all is well`);
