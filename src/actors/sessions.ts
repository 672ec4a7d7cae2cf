import { createActor } from "xstate";
import type { Clock } from "../core/clock.ts";
import { type Entropy, uuid } from "../core/entropy.ts";
import type { SessionId } from "../core/ids.ts";
import type { Log } from "../core/log.ts";
import { err, ok, type Result } from "../core/result.ts";
import { type Termination, termination } from "../core/termination.ts";
import { escapeUser } from "../sip/message/mod.ts";
import type { Replaces } from "../sip/user_agent/replaces.ts";
import type { AgentHooks, IncomingInvite, UserAgent } from "../sip/user_agent/user_agent.ts";
import type { CallParty } from "./call_ports.ts";
import type { Calls } from "./calls.ts";
import type {
  ClientCommand,
  ClientConnection,
  ClientNotice,
  SessionHandle,
  SessionProfile,
  SessionRefusal,
  Sessions,
} from "./client.ts";
import type { EventBus } from "./event_bus.ts";
import { type Callee, outsideHome, outsideServer, parseCallee } from "./routing.ts";
import {
  type SessionActor,
  type SessionContext,
  sessionMachine,
  type SessionOptions,
} from "./session.ts";
import type { SipService } from "./sip_service.ts";

/** Sessions one process keeps; a further one is refused with a clear reason. */
export const MAX_SESSIONS = 50_000;

export interface SessionDirectoryPorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly bus: EventBus;
  readonly sip: SipService;
  readonly options: SessionOptions & {
    readonly canonicalDomain: string;
    readonly sentBy: string;
    /** `enable_local_videochat`: SIP Port 0 at all. */
    readonly localCalls: boolean;
    readonly isOurs: (host: string) => boolean;
    /** How long a far end may go unnoticed when it vanishes (RFC 4028), s; absent: for ever. */
    readonly timerSeconds?: number;
    /** Sessions that are clients of servers of others. */
    readonly outside: {
      /** Whether their Contact carries an id instead of the login (`sip.addContactId`). */
      readonly addContactId: boolean;
      /** Whether their dialogs may lead to this host. */
      readonly mayReach: (host: string) => boolean;
    };
  };
  trace?(machine: string, state: string): void;
}

export interface SessionRecord {
  readonly id: SessionId;
  readonly profile: SessionProfile;
  readonly actor: SessionActor;
  readonly agent: UserAgent;
  readonly party: CallParty;
  readonly authToken: string;
  /** What the operators count: newest first where a login has several. */
  readonly order: number;
  connection: ClientConnection | null;
  /** Its machine died of a fault; only its calls' ends are still waited for. */
  isDead: boolean;
}

/**
 * All sessions of this process, each a root actor; a session that fails takes its own calls along.
 */
export class SessionDirectory implements Sessions {
  readonly #ports: SessionDirectoryPorts;
  readonly #live = new Map<SessionId, SessionRecord>();
  readonly #byToken = new Map<string, SessionRecord>();
  /** Agents of sessions that are over, kept for calls that go on without them. */
  readonly #agentsLeft = new Map<SessionId, UserAgent>();
  #calls!: Calls;
  #order = 0;
  #closed = false;

  constructor(ports: SessionDirectoryPorts) {
    this.#ports = ports;
  }

  /** Sessions and calls know each other; the composition ties the knot. */
  bind(calls: Calls): void {
    this.#calls = calls;
  }

  get size(): number {
    return this.#live.size;
  }

  /** Those that wait for their client to come back. */
  get away(): number {
    let count = 0;
    for (const { actor, connection } of this.#live.values()) {
      if (connection) continue;
      const { value } = actor.getSnapshot();
      if (value === "detached" || value === "unreachable") count++;
    }
    return count;
  }

  live(): Iterable<SessionRecord> {
    return this.#live.values();
  }

  get(id: string): SessionRecord | undefined {
    return this.#live.get(id as SessionId);
  }

  /** The connected session of a login, the newest where there are several. */
  connected(login: string): SessionRecord | undefined {
    let newest: SessionRecord | undefined;
    for (const record of this.#live.values()) {
      if (record.profile.login !== login || !record.connection) continue;
      if (!newest || record.order > newest.order) newest = record;
    }
    return newest;
  }

  open(
    profile: SessionProfile,
    connection: ClientConnection,
  ): Result<SessionHandle, SessionRefusal> {
    const refusal = this.#refusal(profile);
    if (refusal) return err(refusal);
    const { clock, entropy, bus, options } = this.#ports;
    const id = uuid(entropy) as SessionId;
    const home = outsideHome(profile);
    const agent = this.#openAgent(id, profile);
    const aor = `sip:${escapeUser(profile.login)}@${home?.aorHost ?? options.canonicalDomain}`;
    const credentials = { username: profile.authName, password: profile.password };
    const actor = createActor(sessionMachine, {
      clock,
      input: {
        id,
        ports: this.#sessionPorts(id),
        profile,
        agent,
        aor,
        registrar: `sip:${home?.target ?? options.canonicalDomain}`,
        credentials,
      },
    });
    const record: SessionRecord = {
      id,
      profile,
      actor,
      agent,
      party: {
        sessionId: id,
        agent,
        identity: { uri: aor, displayName: profile.visibleName },
        credentials,
        ...(options.timerSeconds === undefined
          ? {}
          : { sessionTimer: { seconds: options.timerSeconds } }),
      },
      authToken: `/${connection.remoteAddress}/${options.sentBy}-${uuid(entropy)}`,
      order: ++this.#order,
      connection,
      isDead: false,
    };
    this.#live.set(id, record);
    this.#byToken.set(record.authToken, record);
    actor.subscribe({
      complete: () => this.#remove(record),
      error: (error) => this.#executeWill(record, error),
    });
    bus.publish("session.opened", { id, login: profile.login, domain: profile.domain });
    actor.start();
    return ok(this.#handle(record, connection));
  }

  /** A client of our own proxy, or of a server of others. */
  #openAgent(id: SessionId, profile: SessionProfile): UserAgent {
    const { sip, options } = this.#ports;
    const onInvite = (invite: IncomingInvite) => this.#onInvite(id, invite);
    const hooks: AgentHooks = {
      replace: (invite, replaced) => this.#onReplace(id, invite, replaced),
    };
    if (!profile.isOutside) {
      return sip.open(id, { user: profile.login, isGuest: profile.port === 0 }, onInvite, hooks);
    }
    const { addContactId, mayReach } = options.outside;
    return sip.openOutside({
      id,
      server: outsideServer(profile),
      mayReach,
      onInvite,
      hooks,
      ...(addContactId ? {} : { contactUser: profile.login }),
    });
  }

  resume(authToken: string, connection: ClientConnection): SessionHandle | undefined {
    const record = this.#byToken.get(authToken);
    if (!record || record.actor.getSnapshot().matches("ending")) return undefined;
    const previous = record.connection;
    if (previous) {
      // The newest wins; what the old one had on the wire dies with it.
      this.#calls.endOfSession(record.id, termination("session_lost"));
      record.connection = null;
      previous.disconnect("replaced");
    }
    record.connection = connection;
    record.actor.send({ type: "attached" });
    return this.#handle(record, connection);
  }

  /** What a user of this session means by `text`. */
  parseCallee(record: SessionRecord, text: string): Result<Callee, string> {
    const { profile } = record;
    const home = outsideHome(profile);
    const { options } = this.#ports;
    return parseCallee(text, profile.port === 0, home ? { ...options, home } : options);
  }

  /** What the user of a session means by `text`, while there is the session. */
  parseTarget(id: SessionId, text: string): Result<Callee, string> {
    const record = this.#live.get(id);
    return record ? this.parseCallee(record, text) : err("The session is over");
  }

  notify(id: SessionId, notice: ClientNotice): void {
    this.#live.get(id)?.connection?.notify(notice);
  }

  onCallGone(id: SessionId): void {
    const left = this.#agentsLeft.get(id);
    if (left) return this.#closeAgent(id, left);
    const record = this.#live.get(id);
    if (record?.isDead) this.#removeDead(record);
    else record?.actor.send({ type: "callGone" });
  }

  /** Ends every session and refuses new ones; for the end of the process. */
  endAll(): void {
    this.#closed = true;
    for (const record of [...this.#live.values()]) {
      this.end(record, termination("shutdown"), "shutdown");
    }
    this.#calls.endBridged(termination("shutdown"));
  }

  end(record: SessionRecord, reason: Termination, farewell: "operator" | "shutdown"): void {
    record.actor.send({ type: "terminate", termination: reason, farewell });
  }

  #refusal(profile: SessionProfile): SessionRefusal | undefined {
    if (this.#closed) return { field: "connection", text: "The server is shutting down" };
    if (this.#live.size >= MAX_SESSIONS) {
      return { field: "connection", text: `The server has its ${MAX_SESSIONS} sessions already` };
    }
    if (profile.port === 0 && !this.#ports.options.localCalls) {
      return {
        field: "sipPort",
        text: "SIP Port 0 is switched off here (sip.localCalls): use a SIP server's port",
      };
    }
    return undefined;
  }

  #sessionPorts(id: SessionId) {
    const { clock, bus, options, trace } = this.#ports;
    const ports = {
      clock,
      options,
      notify: (notice: ClientNotice) => this.notify(id, notice),
      disconnect: (reason: Parameters<ClientConnection["disconnect"]>[0]) => {
        const record = this.#live.get(id);
        const connection = record?.connection;
        if (record) record.connection = null;
        connection?.disconnect(reason);
      },
      endCalls: (reason: Termination) => this.#calls.endOfSession(id, reason),
      attachCalls: () => {
        for (const call of this.#calls.ofSession(id)) call.actor.send({ type: "client.attached" });
      },
      callCount: () => this.#calls.ofSession(id).length,
      publish: bus.publish.bind(bus),
    };
    return trace ? { ...ports, trace } : ports;
  }

  #handle(record: SessionRecord, connection: ClientConnection): SessionHandle {
    const isCurrent = () => record.connection === connection;
    return {
      id: record.id,
      profile: record.profile,
      authToken: record.authToken,
      ready: () => {
        if (isCurrent()) record.actor.send({ type: "ready" });
      },
      command: (command) => {
        if (isCurrent()) this.#onCommand(record, command);
      },
      detach: () => {
        if (!isCurrent()) return;
        record.connection = null;
        record.actor.send({ type: "detached" });
      },
    };
  }

  #onCommand(record: SessionRecord, command: ClientCommand): void {
    if (command.type === "call") return this.#onCall(record, command);
    const call = this.#calls.get(command.callId);
    if (!call || call.sessionId !== record.id) return;
    switch (command.type) {
      case "answer":
        return call.actor.send({ type: "client.answer", sdp: command.sdp });
      case "hangup":
        return call.actor.send({ type: "client.hangup" });
      case "hold":
        return call.actor.send({ type: "client.hold" });
      case "unhold":
        return call.actor.send({ type: "client.unhold" });
      case "dtmf":
        return call.actor.send({
          type: "client.dtmf",
          digits: command.digits,
          method: command.method,
        });
      case "transfer":
        return call.actor.send({ type: "client.transfer", target: command.target });
    }
  }

  #onCall(record: SessionRecord, command: Extract<ClientCommand, { type: "call" }>): void {
    const { profile } = record;
    const callee = this.parseCallee(record, command.callee);
    const refuse = (reason: Termination) =>
      this.notify(record.id, {
        type: "finished",
        termination: reason,
        call: {
          callId: command.callId,
          incoming: false,
          caller: profile.login,
          callee: command.callee,
          visibleName: command.visibleName ?? profile.login,
          hasAudio: true,
          hasVideo: false,
          inviteParameters: null,
          custom: command.custom,
        },
      });
    const known = this.#calls.get(command.callId);
    // The same frame again is the same call; somebody else's id is nobody's.
    if (known?.sessionId === record.id) return;
    if (known) return refuse(termination("bad_request", { text: "The call id is in use" }));
    if (command.alreadyCancelled) return refuse(termination("cancelled"));
    if (!callee.ok) return refuse(termination("bad_request", { text: callee.error }));
    if (this.#calls.isFull(record.id)) {
      return refuse(termination("busy", { by: "server", text: "This session has too many calls" }));
    }
    this.#calls.start({
      callId: command.callId,
      party: record.party,
      origin: { type: "client", sdp: command.sdp, sipSdp: command.sipSdp },
      caller: profile.login,
      callee: callee.value.name,
      target: callee.value.uri,
      visibleName: command.visibleName ?? profile.visibleName ?? profile.login,
      inviteParameters: command.inviteParameters,
      custom: command.custom,
    });
  }

  #onInvite(id: SessionId, invite: IncomingInvite): void {
    const record = this.#live.get(id);
    if (!record) return;
    const { profile, party } = record;
    if (record.isDead || record.actor.getSnapshot().matches("ending")) {
      return this.#calls.refuse(party, invite, 480);
    }
    if (this.#calls.isFull(id)) return this.#calls.refuse(party, invite, 486);
    const { from } = invite.request;
    const caller = from.uri.user ?? from.uri.host ?? "unknown";
    this.#calls.start({
      party,
      origin: { type: "invite", invite },
      caller,
      callee: profile.login,
      target: "",
      visibleName: from.displayName ?? caller,
    });
  }

  /**
   * Somebody wants to take the place of another in a call of this session (RFC 3891). Who knows the
   * names of a dialog has them from a party to it; that he may call here the proxy has seen to.
   */
  #onReplace(id: SessionId, invite: IncomingInvite, replaced: Replaces): void {
    const record = this.#live.get(id);
    if (!record) return;
    const call = this.#calls.ofSession(id).find(({ resources: { dialog } }) =>
      dialog.usage?.callId === replaced.callId && dialog.usage.localTag === replaced.localTag &&
      dialog.usage.remoteTag === replaced.remoteTag
    );
    if (!call) return this.#calls.refuse(record.party, invite, 481);
    const isConfirmed = call.resources.dialog.usage?.dialogState === "confirmed";
    if (replaced.earlyOnly && isConfirmed) return this.#calls.refuse(record.party, invite, 486);
    call.actor.send({ type: "invite.replacing", invite });
  }

  #executeWill(record: SessionRecord, error: unknown): void {
    this.#ports.log.error("a session failed and was ended", { session: record.id, error });
    this.#calls.endOfSession(record.id, termination("internal_error"));
    const { connection } = record;
    record.connection = null;
    connection?.disconnect("internal_error");
    record.isDead = true;
    // The child of a machine that died of its own fault is an orphan: nobody else stops it.
    const snapshot = record.actor.getSnapshot() as { context?: SessionContext };
    snapshot.context?.registration?.send({ type: "unregister" });
    this.#byToken.delete(record.authToken);
    this.#removeDead(record);
  }

  /** Its flow carries the BYEs of its calls, so it goes after the last of them. */
  #removeDead(record: SessionRecord): void {
    if (this.#calls.ofSession(record.id).length === 0) this.#remove(record);
  }

  #remove(record: SessionRecord): void {
    if (!this.#live.delete(record.id)) return;
    this.#byToken.delete(record.authToken);
    this.#closeAgent(record.id, record.agent);
  }

  /** Its flow goes with it, and the dialogs of calls that have left their client need that. */
  #closeAgent(id: SessionId, agent: UserAgent): void {
    if (this.#calls.isAgentNeeded(id)) return void this.#agentsLeft.set(id, agent);
    this.#agentsLeft.delete(id);
    this.#ports.sip.close(agent);
  }
}
