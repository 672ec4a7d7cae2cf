import { z } from "zod";
import type { CommandRefusal, ControlPlane, Outcome } from "../actors/control_plane.ts";
import { err, ok, type Result } from "../core/result.ts";
import { done } from "./api_operations.ts";
import { ladderText } from "./ladder_text.ts";
import { ladderPcap, PCAP_TYPE } from "./ladder_pcap.ts";
import { type Answer, type Operation, operation, quote, RawBody } from "./operation.ts";
import { problem } from "./problem.ts";
import * as schemas from "./schemas.ts";

/** What is done with one call under `/api/calls/{id}/...`. */

const ID = { id: "Id of the call." };
const TAG = "Calls";
const WRITE = { method: "POST", isWrite: true, tag: TAG, parameters: ID } as const;

const FORMATS = ["json", "text", "pcap"] as const;
const TEXT_TYPE = "text/plain; charset=utf-8";

export const digits = z.string().regex(/^[0-9*#A-Da-d]{1,64}$/)
  .transform((value) => value.toUpperCase())
  .meta({ expected: "1 to 64 of 0-9, *, #, A-D" });

const dtmfBody = z.object({
  digits,
  method: schemas.dtmfMethod.default("RFC2833").meta({
    description: "`RFC2833`: telephone-event; `INFO`, `INFO_RELAY`: SIP INFO in either form.",
    expected: "RFC2833, INFO or INFO_RELAY",
  }),
});

const transferBody = z.object({
  target: z.string().min(1).max(256).meta({
    description: "Whom the far party is to be joined with: a name, a number or a SIP URI.",
    expected: "a name, a number or a SIP URI of 1 to 256 characters",
  }),
});

/** A command whose outcome is told later, as a promise. */
export function outcomeOf(
  start: (done: Outcome) => void,
): Promise<Result<void, CommandRefusal>> {
  return new Promise((resolve) => start(resolve));
}

async function command(start: (done: Outcome) => void): Promise<Answer> {
  return done(await outcomeOf(start));
}

function hold(on: boolean): Operation {
  return operation({
    ...WRITE,
    id: on ? "holdCall" : "unholdCall",
    path: `/api/calls/{id}/${on ? "hold" : "unhold"}`,
    summary: on
      ? "Holds the far side, and says whether that came about."
      : "Takes the far side back, and says whether that came about.",
    success: { status: 204, description: on ? "The far side is held." : "The two talk on." },
    problems: ["not-found", "conflict", "already-ended"],
    handle: ({ parameters }, plane) =>
      command((outcome) => plane.setHold(parameters.id!, on, outcome)),
  });
}

function messages(plane: ControlPlane, id: string, format: typeof FORMATS[number]): Answer {
  const ladder = plane.messages(id);
  if (!ladder) return err(problem("not-found", `No call ${quote(id)} is known`));
  const name = id.replace(/[^\w.-]/g, "_");
  switch (format) {
    case "json":
      return ok(ladder);
    case "text":
      return ok(new RawBody(TEXT_TYPE, ladderText(ladder)));
    case "pcap":
      return ok(new RawBody(PCAP_TYPE, ladderPcap(ladder), `${name}.pcap`));
  }
}

export const CALL_OPERATIONS: readonly Operation[] = [
  operation({
    id: "getCallMessages",
    method: "GET",
    isWrite: false,
    path: "/api/calls/{id}/messages",
    tag: TAG,
    summary: "Shows all SIP messages of a call: both sides, in true order, secrets masked.",
    parameters: ID,
    query: z.object({
      format: z.enum(FORMATS).optional().meta({
        description: "`json` where absent; `pcap` is for Wireshark.",
        expected: `one of ${FORMATS.join(", ")}`,
      }),
    }),
    success: {
      status: 200,
      description: "The ladder.",
      schema: schemas.ladder,
      otherTypes: [TEXT_TYPE, PCAP_TYPE],
    },
    problems: ["bad-request", "not-found"],
    handle: ({ parameters, query }, plane) =>
      messages(plane, parameters.id!, query.format ?? "json"),
  }),
  operation({
    ...WRITE,
    id: "sendCallDtmf",
    path: "/api/calls/{id}/dtmf",
    summary: "Presses digits in place of the call's client.",
    body: dtmfBody,
    success: { status: 204, description: "They are on their way, in order." },
    problems: ["bad-request", "not-found", "conflict", "already-ended"],
    handle: ({ parameters, body }, plane) =>
      done(plane.sendDtmf(parameters.id!, body.digits, body.method)),
  }),
  hold(true),
  hold(false),
  operation({
    ...WRITE,
    id: "transferCall",
    path: "/api/calls/{id}/transfer",
    summary: "Asks that the far party is joined with `target`; this call ends when it is.",
    body: transferBody,
    success: {
      status: 204,
      description: "It is under way: `call.transfer` events and the call's view tell how it goes.",
    },
    problems: ["bad-request", "not-found", "conflict", "already-ended"],
    handle: ({ parameters, body }, plane) =>
      command((outcome) => plane.transferCall(parameters.id!, body.target, outcome)),
  }),
];
