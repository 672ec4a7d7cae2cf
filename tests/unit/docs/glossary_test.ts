import assert from "node:assert/strict";
import { callState, mediaWorker, sessionState } from "../../../src/rest/schemas.ts";
import { termination, TERMINATION_REASONS } from "../../../src/core/termination.ts";
import { toWireEnd, unknownCall } from "../../../src/websdk/call_messages.ts";

/** What docs/glossary.md lists is what the code knows. */

const TEXT = Deno.readTextFileSync(new URL("../../../docs/glossary.md", import.meta.url));

/** Rows of the table under a heading, cells trimmed, without its head. */
function rowsUnder(heading: string): string[][] {
  const section = TEXT.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  assert(section !== undefined, `docs/glossary.md has no section "${heading}"`);
  return section.split("\n").filter((line) => line.startsWith("|")).slice(2)
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

Deno.test("glossary: every termination with its result, status, words and what clients are told", () => {
  const wanted = TERMINATION_REASONS.map((reason) => {
    const end = termination(reason);
    const told = [false, true].map((incoming) => {
      const call = { ...unknownCall("id"), incoming };
      const { status, info } = toWireEnd(call, end, false, "FINISH");
      return info === end.text ? status : `${status}, "${info}"`;
    });
    return [reason, end.result, String(end.sipStatus), end.by, end.text, ...told];
  });
  const found = rowsUnder("Terminations");
  const asTable = wanted.map((row) => `| ${row.join(" | ")} |`).join("\n");
  assert.deepEqual(found, wanted, `the table of docs/glossary.md should be\n${asTable}\n`);
});

Deno.test("glossary: the states of calls, sessions and workers are those of the API", () => {
  const words = (heading: string) => rowsUnder(heading).map(([word]) => word);
  assert.deepEqual(words("States of a call"), callState.options);
  assert.deepEqual(words("States of a session"), sessionState.options);
  assert.deepEqual(words("States of a media worker"), mediaWorker.shape.state.options);
});
