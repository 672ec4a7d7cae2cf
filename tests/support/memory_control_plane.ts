import type {
  AccountGrants,
  AccountQuery,
  AccountView,
  CallQuery,
  CallSummary,
  CallView,
  CodecWorkerView,
  CommandRefusal,
  ControlPlane,
  DomainEvent,
  DtmfMethod,
  HealthView,
  LadderView,
  MediaWorkerView,
  NewAccount,
  Outcome,
  Page,
  PageQuery,
  ProtectionView,
  RegistrationQuery,
  RegistrationView,
  SessionQuery,
  SessionView,
  StartCall,
  TrunkView,
} from "../../src/actors/control_plane.ts";
import type { WorkerId } from "../../src/core/ids.ts";
import { err, ok, type Result } from "../../src/core/result.ts";

const EPOCH = "2026-01-01T00:00:00.000Z";
const KEPT_EVENTS = 1000;

/** A control plane that keeps its sessions and calls in maps: all of the contract, no telephony. */
export class MemoryControlPlane implements ControlPlane {
  readonly #sessions = new Map<string, SessionView>();
  readonly #calls = new Map<string, CallView>();
  readonly #events: DomainEvent[] = [];
  readonly #listeners = new Set<(event: DomainEvent) => void>();
  readonly started: StartCall[] = [];
  #sequence = 0;

  addSession(id: string, login: string, state: SessionView["state"] = "registered"): void {
    this.#sessions.set(id, {
      id,
      login,
      domain: "localhost",
      port: 0,
      state,
      since: EPOCH,
      remoteAddress: "127.0.0.1",
      outside: null,
      client: "Web SDK 2.0",
      calls: 0,
    });
    this.publish("session.opened", { sessionId: id });
  }

  addCall(id: string, more: Partial<CallView> = {}): void {
    this.#calls.set(id, { ...activeCall(id), ...more });
    this.publish("call.started", { callId: id });
  }

  publish(type: DomainEvent["type"], data: Readonly<Record<string, unknown>>): void {
    const event = { sequence: ++this.#sequence, at: EPOCH, type, data };
    this.#events.push(event);
    if (this.#events.length > KEPT_EVENTS) this.#events.shift();
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch {
        this.#listeners.delete(listener);
      }
    }
  }

  /** How many hear facts now. */
  get listeners(): number {
    return this.#listeners.size;
  }

  health(): HealthView {
    return {
      status: "ok",
      reasons: [],
      version: "0.0.0",
      startedAt: EPOCH,
      uptimeSeconds: 1,
      sessions: this.#sessions.size,
      sessionsAway: [...this.#sessions.values()].filter(({ state }) => state === "detached").length,
      calls: this.#liveCalls().length,
      workers: { running: 1, total: 1, adopting: 0, adoptions: 0 },
      codecs: [],
    };
  }

  sessions(query: SessionQuery): Page<SessionView> {
    return page(
      [...this.#sessions.values()].filter((session) =>
        (query.state === undefined || session.state === query.state) &&
        (query.user === undefined || session.login === query.user)
      ),
      query,
    );
  }

  calls(query: CallQuery): Page<CallSummary> {
    const all = query.state === undefined ? this.#liveCalls() : [...this.#calls.values()].filter(
      (call) => call.state === query.state,
    );
    return page(
      all.filter((call) =>
        query.user === undefined || [call.caller, call.callee].includes(query.user)
      )
        .map(summary),
      query,
    );
  }

  call(id: string): CallView | undefined {
    return this.#calls.get(id);
  }

  registrations(query: RegistrationQuery): Page<RegistrationView> {
    const bindings = [...this.#sessions.values()].filter((session) =>
      session.state === "registered" && (query.user === undefined || session.login === query.user)
    ).map((session) => ({
      aor: `sip:${session.login}@localhost`,
      contact: `sip:${session.login}@127.0.0.1:5060`,
      sessionId: session.id,
      source: "127.0.0.1",
      transport: "memory",
      expiresAt: EPOCH,
      userAgent: null,
    })).filter(({ aor }) => aor.includes(query.q ?? ""));
    return page(bindings, query);
  }

  protection(): ProtectionView {
    return {
      overload: { active: false, reasons: [], lagMs: 0, transactions: 0 },
      limits: {
        registrationsPerSecond: 50,
        requestsPerSecond: 50,
        failures: 20,
        blockSeconds: 300,
        calls: 20_000,
        callsPerSource: 1_000,
        transactions: 190_000,
        lagMs: 500,
      },
      calls: 0,
      sources: [{
        source: "192.0.2.66",
        state: "blocked",
        reasons: [{ reason: "wrong credentials, or speaking for others", count: 20 }],
        since: EPOCH,
        last: EPOCH,
        until: EPOCH,
        calls: 0,
        refused: 0,
        dropped: 12,
        failurePointsLeft: 0,
      }],
      next: null,
    };
  }

  liftProtection(source: string): Result<void, CommandRefusal> {
    if (source === "192.0.2.66") return ok(undefined);
    return err({ code: "not_found", text: `Nothing is held against ${source}` });
  }

  trunks(): readonly TrunkView[] {
    return [{
      name: "carrier",
      host: "sip.carrier.example",
      port: 5060,
      transport: "udp",
      priority: 10,
      state: "up",
      reason: null,
      since: EPOCH,
      isRegistered: false,
      codecs: null,
      dtmf: "rfc2833",
    }];
  }

  workers(): readonly (MediaWorkerView | CodecWorkerView)[] {
    return [{
      kind: "media",
      id: 0 as WorkerId,
      state: "running",
      restarts: 0,
      endpoints: 0,
      bridges: 0,
      packets: 0,
      adopts: false,
      adoptions: 0,
      lastGapMs: null,
      addresses: ["127.0.0.1:30000"],
      shell: "portable",
    }, {
      kind: "codec",
      name: "codec-1",
      state: "running",
      restarts: 1,
      transcodings: 2,
      load: 0.25,
      isFull: false,
    }];
  }

  restartWorker(id: number): Result<void, CommandRefusal> {
    return id === 0
      ? ok(undefined)
      : err({ code: "not_found", text: `No media worker ${id} is running` });
  }

  endCall(id: string): Result<void, CommandRefusal> {
    const call = this.#calls.get(id);
    if (!call) return err({ code: "not_found", text: `No call ${id} is known` });
    if (call.state === "ended") return err({ code: "ended", text: `Call ${id} has ended already` });
    this.#calls.set(id, {
      ...call,
      state: "ended",
      endedAt: EPOCH,
      termination: {
        result: "success",
        reason: "operator",
        sipStatus: 200,
        by: "operator",
        text: "An operator ended the call",
      },
    });
    this.publish("call.ended", { callId: id });
    return ok(undefined);
  }

  startCall(request: StartCall): Result<{ readonly callId: string }, CommandRefusal> {
    const callId = request.callId ?? crypto.randomUUID();
    if (this.#calls.has(callId)) {
      return err({ code: "conflict", text: `A call ${callId} exists already` });
    }
    const session = [...this.#sessions.values()].find(({ login }) => login === request.login);
    if (!session) {
      return err({ code: "not_found", text: `Nobody is connected as ${request.login}` });
    }
    this.started.push(request);
    this.addCall(callId, { sessionId: session.id, state: "ringing", direction: "inbound" });
    return ok({ callId });
  }

  readonly #accounts = new Map<string, AccountView>();

  accounts(query: AccountQuery): Page<AccountView> {
    const all = [...this.#accounts.values()];
    return page(all.filter(({ name }) => query.user === undefined || name === query.user), query);
  }

  createAccount(
    { name, rights = [], number = null }: NewAccount,
  ): Result<AccountView, CommandRefusal> {
    if (this.#accounts.has(name)) return err({ code: "conflict", text: `${name} exists` });
    const made: AccountView = { name, source: "stored", rights, number, bindings: 0 };
    this.#accounts.set(name, made);
    return ok(made);
  }

  grantAccount(name: string, grants: AccountGrants): Result<AccountView, CommandRefusal> {
    const known = this.#accounts.get(name);
    if (!known) return err({ code: "not_found", text: `There is no account ${name}` });
    const changed = { ...known, ...grants };
    this.#accounts.set(name, changed);
    return ok(changed);
  }

  setAccountPassword(name: string): Result<void, CommandRefusal> {
    return this.#accounts.has(name)
      ? ok(undefined)
      : err({ code: "not_found", text: `There is no account ${name}` });
  }

  removeAccount(name: string): Result<void, CommandRefusal> {
    return this.#accounts.delete(name)
      ? ok(undefined)
      : err({ code: "not_found", text: `There is no account ${name}` });
  }

  /** Ladders by call. */
  readonly ladders = new Map<string, LadderView>();
  /** What was pressed, as `id digits method`. */
  readonly pressed: string[] = [];
  /** Where calls were handed on to, as `id target`. */
  readonly transfers: string[] = [];

  messages(id: string): LadderView | undefined {
    const call = this.#calls.get(id);
    const none = { callId: id, sipCallIds: [], dropped: 0, parties: [], messages: [] };
    return call && (this.ladders.get(id) ?? none);
  }

  sendDtmf(id: string, digits: string, method: DtmfMethod): Result<void, CommandRefusal> {
    const call = this.#standing(id);
    if (!call.ok) return call;
    this.pressed.push(`${id} ${digits} ${method}`);
    return ok(undefined);
  }

  setHold(id: string, on: boolean, done: Outcome): void {
    const call = this.#standing(id);
    if (call.ok) {
      const hold = { ...call.value.hold, local: on };
      this.#calls.set(id, { ...call.value, hold, state: on ? "held" : "active" });
    }
    queueMicrotask(() => done(call.ok ? ok(undefined) : call));
  }

  transferCall(id: string, target: string, done: Outcome): void {
    const call = this.#standing(id);
    if (call.ok) this.transfers.push(`${id} ${target}`);
    queueMicrotask(() => done(call.ok ? ok(undefined) : call));
  }

  #standing(id: string): Result<CallView, CommandRefusal> {
    const call = this.#calls.get(id);
    if (!call) return err({ code: "not_found", text: `No call ${id} is known` });
    if (call.state === "ended") return err({ code: "ended", text: `Call ${id} has ended already` });
    return call.answeredAt === null
      ? err({ code: "conflict", text: `Call ${id} is not connected` })
      : ok(call);
  }

  endSession(id: string): Result<void, CommandRefusal> {
    if (!this.#sessions.delete(id)) return err({ code: "not_found", text: `No session ${id}` });
    this.publish("session.ended", { sessionId: id });
    return ok(undefined);
  }

  subscribe(after: number | undefined, listener: (event: DomainEvent) => void): () => void {
    if (after !== undefined) {
      for (const event of this.#events) if (event.sequence > after) listener(event);
    }
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #liveCalls(): CallView[] {
    return [...this.#calls.values()].filter((call) => call.state !== "ended");
  }
}

function page<T>(all: readonly T[], query: PageQuery): Page<T> {
  const start = Number(query.cursor ?? 0);
  const end = start + query.limit;
  return { items: all.slice(start, end), next: end < all.length ? String(end) : null };
}

function summary(call: CallView): CallSummary {
  const { id, sessionId, direction, caller, callee, state, since, startedAt } = call;
  const { sipCallId, codecs, peerCallId, lossPercent, termination } = call;
  return {
    ...{ id, sessionId, direction, caller, callee, state, since, startedAt },
    ...{ sipCallId, codecs, peerCallId, lossPercent, termination },
  };
}

function activeCall(id: string): CallView {
  return {
    id,
    sessionId: "session-1",
    direction: "outbound",
    caller: "alice",
    callee: "bob",
    state: "active",
    since: EPOCH,
    startedAt: EPOCH,
    sipCallId: `${id}@localhost`,
    codecs: ["opus"],
    peerCallId: null,
    lossPercent: 0,
    termination: null,
    hasAudio: true,
    hasVideo: false,
    visibleName: "Alice",
    hold: { local: false, remote: false },
    answeredAt: EPOCH,
    endedAt: null,
    sipCallIds: [`${id}@localhost`],
    dtmf: [],
    transfer: null,
    legs: [
      {
        kind: "webrtc",
        codecs: ["opus"],
        ice: "connected",
        dtls: "connected",
        remoteAddress: "127.0.0.1:50000",
        worker: 0,
        transcoding: null,
        statistics: null,
      },
      {
        kind: "sip",
        dialogState: "confirmed",
        localTag: "a",
        remoteTag: "b",
        localUri: "sip:alice@localhost",
        remoteUri: "sip:bob@localhost",
        nextHop: "memory",
        codecs: ["opus"],
      },
    ],
    warnings: [],
    custom: null,
    inviteParameters: null,
  };
}
