import type { Subscription } from "xstate";
import type { Clock } from "../core/clock.ts";
import type { CallId } from "../core/ids.ts";
import { err, ok, type Result } from "../core/result.ts";
import { termination } from "../core/termination.ts";
import type { CallActor } from "./call.ts";
import type { CallRecord } from "./call_index.ts";
import type { Calls } from "./calls.ts";
import { isOwnHeader } from "./client_headers.ts";
import type { CommandRefusal, DtmfMethod, Outcome, StartCall } from "./control_plane.ts";
import type { SessionDirectory } from "./sessions.ts";

type Answer<T = void> = Result<T, CommandRefusal>;

/** A re-INVITE, or the answer to a REFER, is here by then; glares included. */
const DEADLINE_MS = 12_000;

export interface CommandPorts {
  readonly clock: Clock;
  readonly sessions: SessionDirectory;
  readonly calls: Calls;
  /** Ends a call between two wire sides; false where there is none of this id. */
  endTransit(id: string): boolean;
  /** Whether a call between two wire sides has this id. */
  isTransit(id: string): boolean;
  /** Kills and replaces a media worker; false where none of that id runs. */
  restartWorker(id: number): boolean;
}

/** Hold, digits and transfer are asked of a client of ours; such a call has none. */
function ofPhones(id: string): CommandRefusal {
  const text = `Call ${id} is between two SIP phones: whoever wants to hold, press digits or ` +
    "transfer does that at his phone; an operator can only end it";
  return { code: "conflict", text };
}

/** What operators can do. A refusal has a stable code and a sentence. */
export class Commands {
  readonly #clock: Clock;
  readonly #sessions: SessionDirectory;
  readonly #calls: Calls;
  readonly #endTransit: (id: string) => boolean;
  readonly #isTransit: (id: string) => boolean;
  readonly #restartWorker: (id: number) => boolean;

  constructor(ports: CommandPorts) {
    this.#clock = ports.clock;
    this.#endTransit = (id) => ports.endTransit(id);
    this.#isTransit = (id) => ports.isTransit(id);
    this.#restartWorker = (id) => ports.restartWorker(id);
    this.#sessions = ports.sessions;
    this.#calls = ports.calls;
  }

  restartWorker(id: number): Answer {
    if (this.#restartWorker(id)) return ok(undefined);
    return err({ code: "not_found", text: `No media worker ${id} is running` });
  }

  endCall(id: string): Answer {
    if (this.#calls.end(id, termination("operator"))) return ok(undefined);
    if (this.#endTransit(id)) return ok(undefined);
    return err(this.#absent(id));
  }

  sendDtmf(id: string, digits: string, method: DtmfMethod): Answer {
    const call = this.#active(id);
    if (!call.ok) return call;
    call.value.actor.send({ type: "client.dtmf", digits, method });
    return ok(undefined);
  }

  setHold(id: string, on: boolean, done: Outcome): void {
    const call = this.#active(id);
    if (!call.ok) return this.#clock.defer(() => done(call));
    const { actor } = call.value;
    this.#await(actor, done, (snapshot) => {
      if (!snapshot.matches({ active: { hold: "settled" } })) return undefined;
      if (snapshot.context.hold.local === on) return ok(undefined);
      const text = `The other side refused to ${on ? "be held" : "go on"}`;
      return err({ code: "conflict", text });
    });
    actor.send({ type: on ? "client.hold" : "client.unhold" });
  }

  transferCall(id: string, target: string, done: Outcome): void {
    const call = this.#active(id);
    if (!call.ok) return this.#clock.defer(() => done(call));
    const { actor, input } = call.value;
    const refuse = (fault: CommandRefusal) => this.#clock.defer(() => done(err(fault)));
    const found = input.ports.parseTarget(target);
    if (!found.ok) return refuse({ code: "invalid", text: found.error });
    if (!actor.getSnapshot().matches({ active: { transfer: "idle" } })) {
      return refuse({ code: "conflict", text: `Call ${id} is being transferred already` });
    }
    actor.send({ type: "client.transfer", target });
    // A far party without REFER agrees to nothing: the server joins it with the target itself.
    const isBridging = () => actor.getSnapshot().context.transfer?.role === "bridging";
    if (actor.getSnapshot().matches({ active: { transfer: "idle" } })) {
      const text = `Call ${id} may not be transferred to ${found.value.name}`;
      return refuse({ code: "conflict", text });
    }
    if (isBridging()) return this.#clock.defer(() => done(ok(undefined)));
    this.#await(actor, done, ({ context }) => {
      if (isBridging()) return ok(undefined);
      const status = context.transfer?.view.sipStatus ?? null;
      if (status === null) return undefined;
      if (status < 300) return ok(undefined);
      return err({ code: "conflict", text: `The other side refused the transfer: ${status}` });
    });
  }

  #active(id: string): Result<CallRecord, CommandRefusal> {
    const record = this.#calls.get(id);
    if (!record) return err(this.#isTransit(id) ? ofPhones(id) : this.#absent(id));
    const snapshot = record.actor.getSnapshot();
    if (snapshot.matches("active")) return ok(record);
    if (snapshot.matches("bridged")) return err(ofPhones(id));
    return err({ code: "conflict", text: `Call ${id} is not connected` });
  }

  #absent(id: string): CommandRefusal {
    return this.#calls.archive.get(id)
      ? { code: "ended", text: `Call ${id} has ended already` }
      : { code: "not_found", text: `There is no call ${id}` };
  }

  /** Asks with every step of the call until there is an answer, its end, or the deadline. */
  #await(
    actor: CallActor,
    done: Outcome,
    ask: (snapshot: ReturnType<CallActor["getSnapshot"]>) => Answer | undefined,
  ): void {
    let isOver = false;
    const finish = (answer: Answer) => {
      if (isOver) return;
      isOver = true;
      this.#clock.clearTimeout(timer);
      subscription?.unsubscribe();
      // Whoever hears it may do anything, but not in the middle of a step.
      this.#clock.defer(() => done(answer));
    };
    const timer = this.#clock.setTimeout(
      () => finish(err({ code: "conflict", text: "The other side did not answer in time" })),
      DEADLINE_MS,
    );
    const gone = () => finish(err({ code: "ended", text: "The call ended meanwhile" }));
    // Before there is one, whoever has ended already says so.
    let subscription: Subscription | undefined = undefined;
    subscription = actor.subscribe({
      next: (snapshot) => {
        const answer = ask(snapshot);
        if (answer) finish(answer);
        else if (!snapshot.matches("active")) gone();
      },
      error: gone,
      complete: gone,
    });
  }

  endSession(id: string): Answer {
    const record = this.#sessions.get(id);
    if (!record) return err({ code: "not_found", text: `There is no session ${id}` });
    this.#sessions.end(record, termination("operator"), "operator");
    return ok(undefined);
  }

  /** The connected session of `login` rings first; on its answer `callee` is called. */
  startCall(request: StartCall): Answer<{ readonly callId: string }> {
    const { callId, login } = request;
    if (callId !== undefined && (this.#calls.get(callId) || this.#calls.archive.get(callId))) {
      return err({ code: "conflict", text: `The call id ${callId} is in use` });
    }
    const session = this.#sessions.connected(login);
    if (!session) {
      return err({ code: "not_found", text: `No connected session has the login ${login}` });
    }
    const own = Object.keys(request.inviteParameters ?? {}).find(isOwnHeader);
    if (own !== undefined) {
      return err({ code: "invalid", text: `The header ${own} is set by the server alone` });
    }
    const callee = this.#sessions.parseCallee(session, request.callee);
    if (!callee.ok) return err({ code: "invalid", text: callee.error });
    if (this.#calls.isFull(session.id)) {
      return err({ code: "conflict", text: `The session of ${login} has too many calls` });
    }
    const record = this.#calls.start({
      ...(callId === undefined ? {} : { callId: callId as CallId }),
      party: session.party,
      origin: { type: "startup", hasVideo: request.hasVideo },
      caller: session.profile.login,
      callee: callee.value.name,
      target: callee.value.uri,
      visibleName: request.visibleName ?? session.profile.visibleName ?? session.profile.login,
      inviteParameters: request.inviteParameters ?? null,
      custom: request.custom,
    });
    return ok({ callId: record.id });
  }
}
