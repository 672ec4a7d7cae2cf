import { parseArgs } from "node:util";
import { withCleanEnd } from "./clean_end.ts";
import { Arena } from "./media/arena.ts";
import type { Section } from "./media/bench.ts";
import { dtls } from "./media/dtls_section.ts";
import { gap } from "./media/gap_section.ts";
import { gc, memory } from "./media/memory_sections.ts";
import { need } from "./media/needs.ts";
import { mostCalls } from "./media/most_section.ts";
import { latency, portable, rtp, srtp, video, workers } from "./media/relay_sections.ts";
import { FEWEST_VALUES, Summary } from "./media/summary.ts";
import { transcoding } from "./media/transcoding_section.ts";

/**
 * What the media engine costs, beside rtpengine in userspace and a bare relay in C, interleaved on
 * the same load: `deno task bench:media [--rounds N] [--seconds N] [--realtime] [SECTION ...]`.
 * Linux with two cores, loopback only. `--realtime` gives relays and generator real-time priority,
 * for machines that do other work. Ends with 1 where a MUST is not met or not measured, and with 3
 * where there were too few rounds to say.
 */
const SECTIONS: Readonly<Record<string, Section>> = {
  srtp,
  rtp,
  video,
  most: mostCalls,
  latency,
  memory,
  gc,
  dtls,
  gap,
  transcoding,
  portable,
  workers,
};

/** Two turns are within consent's 30 s (RFC 7675 5.1), which the portable shell keeps. */
const MAX_SECONDS = 10;
const NOT_JUDGED = 3;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    realtime: { type: "boolean", default: false },
  },
});
const names = positionals.length > 0 ? positionals : Object.keys(SECTIONS);
const wanted = names.map((name) => {
  const section = SECTIONS[name];
  if (section === undefined) {
    console.error(`section ${name} is not known, expected some of ${Object.keys(SECTIONS)}`);
    Deno.exit(2);
  }
  return section;
});
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
if (!(rounds >= 1) || !(seconds >= 1) || seconds > MAX_SECONDS) {
  console.error(`--rounds ${values.rounds} --seconds ${values.seconds}: expected at least 1 round`);
  console.error(`of 1 to ${MAX_SECONDS} s; a relay that waits longer for its turn ends its calls.`);
  Deno.exit(2);
}
const duration = wanted.reduce((sum, section) => sum + section.duration({ rounds, seconds }), 10);
console.log(`${wanted.length} sections, about ${Math.ceil(duration / 60)} minutes.`);
const isJudged = rounds >= FEWEST_VALUES;
if (!isJudged) console.log(`Fewer than ${FEWEST_VALUES} rounds: a trial, nothing is judged.`);

await withCleanEnd(async () => {
  const isCompared = wanted.some(({ isOursAlone }) => !isOursAlone);
  const hasRtpengine = isCompared && await need("rtpengine");
  if (isCompared && !hasRtpengine) console.log("rtpengine is not installed: not measured.");
  const arena = await Arena.prepare(values.realtime);
  const summary = new Summary(isJudged);
  let failures = 0;
  for (const [i, section] of wanted.entries()) {
    console.log(`\n## ${i + 1} of ${wanted.length}: ${section.title}`);
    try {
      await section.run({ arena, summary, rounds, seconds, hasRtpengine });
    } catch (error) {
      failures++;
      console.error(`\nNOT MEASURED: ${error instanceof Error ? error.message : String(error)}`);
      await arena.end();
    }
  }
  summary.print();
  if (failures > 0) return 1;
  if (!isJudged) {
    console.log("\nA trial: nothing was judged.");
    return NOT_JUDGED;
  }
  return summary.isMet ? 0 : 1;
});
