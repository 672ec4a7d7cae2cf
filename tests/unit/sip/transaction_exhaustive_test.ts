import assert from "node:assert/strict";
import type { SipMessage } from "../../../src/sip/message/mod.ts";
import { createPacket } from "../../../src/sip/transaction/derived.ts";
import type { TransactionEffect } from "../../../src/sip/transaction/effects.ts";
import { InviteClientTransaction } from "../../../src/sip/transaction/invite_client.ts";
import { InviteServerTransaction } from "../../../src/sip/transaction/invite_server.ts";
import { NonInviteClientTransaction } from "../../../src/sip/transaction/non_invite_client.ts";
import { NonInviteServerTransaction } from "../../../src/sip/transaction/non_invite_server.ts";
import { DEFAULT_TIMERS, type TimerName } from "../../../src/sip/transaction/timers.ts";
import { request, response } from "../../support/sip_fixtures.ts";

/**
 * Every sequence of events up to a length against each of the four transactions, over both kinds of
 * transport. What must hold after each of them is said once, in `Probe`.
 */

const LENGTH = 5;

interface Machine {
  readonly state: string;
  start(out: TransactionEffect[]): void;
  timer(name: TimerName, out: TransactionEffect[]): void;
  transportError(out: TransactionEffect[]): void;
}

type Event<M> = readonly [name: string, act: (machine: M, out: TransactionEffect[]) => void];

/** The timers that may run in each state (tables of RFC 3261 17 and RFC 6026 8). */
const TIMERS_OF: Readonly<Record<string, Readonly<Record<string, readonly TimerName[]>>>> = {
  InviteClientTransaction: {
    Calling: ["A", "B"],
    Proceeding: ["cancel"],
    Completed: ["D"],
    Accepted: ["M"],
  },
  NonInviteClientTransaction: { Trying: ["E", "F"], Proceeding: ["E", "F"], Completed: ["K"] },
  InviteServerTransaction: {
    Proceeding: ["100"],
    Completed: ["G", "H"],
    Confirmed: ["I"],
    Accepted: ["G", "L"],
  },
  NonInviteServerTransaction: {},
};

/** A transaction under test with the timers that it has armed and all that it did. */
class Probe<M extends Machine> {
  readonly machine: M;
  readonly armed = new Map<TimerName, number>();
  readonly sent: SipMessage[] = [];
  readonly passed: SipMessage[] = [];
  readonly failures: string[] = [];
  /** Answers left behind for repetitions. */
  readonly kept: Uint8Array[] = [];
  terminated = false;

  constructor(machine: M) {
    this.machine = machine;
    this.do((m, out) => m.start(out));
  }

  do(act: (machine: M, out: TransactionEffect[]) => void): void {
    const wasTerminated = this.terminated;
    const out: TransactionEffect[] = [];
    act(this.machine, out);
    if (wasTerminated) assert.equal(out.length, 0, "a terminated transaction does nothing");
    for (const effect of out) {
      assert.equal(this.terminated, false, `${effect.type} after terminate`);
      this.#take(effect);
    }
    assert.equal(this.terminated, this.machine.state === "Terminated");
    const allowed = TIMERS_OF[this.machine.constructor.name]?.[this.machine.state] ?? [];
    for (const name of this.armed.keys()) {
      assert.ok(allowed.includes(name), `timer ${name} runs in ${this.machine.state}`);
    }
  }

  /** Fires `name` if it is armed, as the stack would. */
  fire(name: TimerName): void {
    if (!this.armed.delete(name)) return;
    this.do((m, out) => m.timer(name, out));
  }

  /** Lets time pass until nothing is armed; false where that does not happen. */
  runOut(): boolean {
    for (let i = 0; i < 200; i++) {
      const next = [...this.armed].sort((a, b) => a[1] - b[1])[0];
      if (!next) return true;
      // Time passes for the others too.
      for (const [name, left] of this.armed) this.armed.set(name, left - next[1]);
      this.fire(next[0]);
    }
    return false;
  }

  statuses(): number[] {
    return this.passed.flatMap((m) => m.kind === "response" ? [m.status] : []);
  }

  #take(effect: TransactionEffect): void {
    switch (effect.type) {
      case "send":
        this.sent.push(effect.packet.message);
        return;
      case "set-timer":
        assert.ok(effect.ms > 0, `timer ${effect.timer} of ${effect.ms} ms`);
        this.armed.set(effect.timer, effect.ms);
        return;
      case "clear-timer":
        this.armed.delete(effect.timer);
        return;
      case "keep":
        assert.equal(effect.ms, 64 * DEFAULT_TIMERS.t1);
        this.kept.push(effect.answer);
        return;
      case "pass-request":
        this.passed.push(effect.request);
        return;
      case "pass-response":
        this.passed.push(effect.response);
        return;
      case "fail":
        this.failures.push(effect.reason);
        return;
      case "terminate":
        this.terminated = true;
        this.armed.clear();
        return;
    }
  }
}

function* sequences<T>(alphabet: readonly T[], length: number): Generator<T[]> {
  if (length === 0) {
    yield [];
    return;
  }
  for (const rest of sequences(alphabet, length - 1)) {
    for (const event of alphabet) yield [...rest, event];
  }
}

/** Runs every sequence of exactly `LENGTH` events: its beginnings are the shorter ones. */
function explore<M extends Machine>(
  make: (reliable: boolean) => M,
  timers: readonly TimerName[],
  events: readonly Event<M>[],
  check: (probe: Probe<M>, reliable: boolean) => void,
): void {
  const fired = timers.map((name) =>
    [`timer ${name}`, (probe: Probe<M>) => probe.fire(name)] as const
  );
  const acted = events.map(([name, act]) => [name, (probe: Probe<M>) => probe.do(act)] as const);
  for (const reliable of [false, true]) {
    for (const sequence of sequences([...acted, ...fired], LENGTH)) {
      const probe = new Probe(make(reliable));
      try {
        for (const [, act] of sequence) {
          act(probe);
          check(probe, reliable);
        }
        assert.ok(probe.runOut(), "timers come to an end");
        check(probe, reliable);
      } catch (error) {
        const names = sequence.map(([name]) => name).join(", ");
        const transport = reliable ? "reliable" : "unreliable";
        throw new Error(`${transport}, after ${names}`, { cause: error });
      }
    }
  }
}

const INVITE = request("INVITE");
const OPTIONS = request("OPTIONS");
const RESPONSES = new Map(
  [100, 180, 200, 201, 404, 486].map((s) => [s, response(INVITE, s)] as const),
);

function received(status: number): Event<InviteClientTransaction | NonInviteClientTransaction> {
  const message = RESPONSES.get(status)!;
  return [`${status}`, (m, out) => m.receive(message, out)];
}

function answered(status: number): Event<InviteServerTransaction | NonInviteServerTransaction> {
  const packet = createPacket(RESPONSES.get(status)!);
  return [`answer ${status}`, (m, out) => m.respond(packet, out)];
}

const TRANSPORT: Event<Machine> = ["transport", (m, out) => m.transportError(out)];

/** A client's user hears one outcome: 2xx (any number), one other final response, or a failure. */
function checkClient(probe: Probe<Machine>): void {
  const finals = probe.statuses().filter((s) => s >= 200);
  const accepted = finals.filter((s) => s < 300).length;
  const refused = finals.length - accepted;
  assert.ok(probe.failures.length + Math.min(accepted, 1) + refused <= 1, "one outcome");
  if (finals.length === 0 && probe.terminated) assert.equal(probe.failures.length, 1);
}

Deno.test("INVITE client transaction: all sequences", () => {
  explore(
    (reliable) => new InviteClientTransaction(createPacket(INVITE), reliable, DEFAULT_TIMERS),
    ["A", "B", "D", "M"],
    [
      received(180),
      received(200),
      received(404),
      TRANSPORT,
      ["cancel", (m, out) => m.cancelSent(out)],
    ],
    (probe) => {
      checkClient(probe);
      const acks = probe.sent.filter((m) => m.kind === "request" && m.method === "ACK").length;
      const refused = probe.statuses().some((s) => s >= 300);
      assert.equal(acks > 0, refused, "ACK goes with 300 to 699 and with nothing else");
      // Only a ringing phone waits without end: its user has timers of his own.
      const waits = probe.machine.state === "Proceeding";
      assert.ok(probe.armed.size > 0 || probe.terminated || waits, `${probe.machine.state} hangs`);
    },
  );
});

Deno.test("non-INVITE client transaction: all sequences", () => {
  explore(
    (reliable) => new NonInviteClientTransaction(createPacket(OPTIONS), reliable, DEFAULT_TIMERS),
    ["E", "F", "K"],
    [received(100), received(200), received(404), TRANSPORT],
    (probe) => {
      checkClient(probe);
      assert.ok(probe.statuses().filter((s) => s >= 200).length <= 1, "one final response");
      assert.ok(probe.armed.size > 0 || probe.terminated, `${probe.machine.state} hangs`);
    },
  );
});

Deno.test("INVITE server transaction: all sequences, as proxy and as user agent", () => {
  for (const userAgent of [false, true]) {
    explore(
      (reliable) => new InviteServerTransaction(INVITE, reliable, DEFAULT_TIMERS, userAgent),
      ["100", "G", "H"],
      [
        ["INVITE", (m, out) => m.receive(INVITE, out)],
        ["ACK", (m, out) => m.receive(ACK, out)],
        answered(180),
        answered(200),
        answered(486),
        TRANSPORT,
      ],
      (probe) => {
        assert.equal(probe.passed.filter((m) => m === INVITE).length, 1, "INVITE passed once");
        const finals = new Set(
          probe.sent.flatMap((m) => m.kind === "response" && m.status >= 200 ? [m.status] : []),
        );
        assert.ok(finals.size <= 1, "one final response, however often");
        const acks = probe.passed.filter((m) => m === ACK).length;
        if (acks > 0) assert.ok(finals.has(200), "an ACK to a non-2xx is not the user's business");
        assert.ok(probe.failures.length <= 1);
        const waits = probe.machine.state === "Proceeding";
        assert.ok(probe.armed.size > 0 || probe.terminated || waits, "hangs");
      },
    );
  }
});

const ACK = request("ACK");
const CHALLENGE = createPacket(response(OPTIONS, 401));

Deno.test("non-INVITE server transaction: all sequences", () => {
  explore(
    (reliable) => new NonInviteServerTransaction(OPTIONS, reliable, DEFAULT_TIMERS),
    [],
    [
      ["OPTIONS", (m, out) => m.receive(OPTIONS, out)],
      answered(100),
      answered(200),
      answered(404),
      ["answer 401 without state", (m, out) => m.respondStateless(CHALLENGE, out)],
      ["abandon", (m, out) => m.abandon(out)],
      TRANSPORT,
    ],
    (probe, reliable) => {
      assert.equal(probe.passed.length, 1, "the request is passed once");
      const finals = probe.sent.flatMap((m) =>
        m.kind === "response" && m.status >= 200 ? [m.status] : []
      );
      assert.ok(finals.length <= 1, "one final response; its repetitions are not the machine's");
      assert.ok(finals.length === 0 || probe.terminated);
      const isKept = !reliable && finals.length > 0 && finals[0] !== 401;
      assert.equal(probe.kept.length, isKept ? 1 : 0, "kept over UDP, but for challenges");
    },
  );
});
