import type { Clock, Instant } from "../core/clock.ts";
import type { WorkerView } from "../rtp/media_port.ts";
import type { CodecWorkerView as CodecWorker } from "../rtp/codec/pool.ts";
import type { Binding } from "../sip/registrar/location.ts";
import type { CallRecord } from "./call_index.ts";
import type { Calls } from "./calls.ts";
import type {
  CallQuery,
  CallSummary,
  CallView,
  CodecView,
  CodecWorkerView,
  HealthView,
  LadderView,
  MediaWorkerView,
  Page,
  PageQuery,
  RegistrationQuery,
  RegistrationView,
  SessionQuery,
  SessionView,
} from "./control_plane.ts";
import { toTransitSummary, toTransitView } from "./edge/transit_views.ts";
import type { EventBus } from "./event_bus.ts";
import type { Ladder } from "./ladder.ts";
import { toLadderView } from "./ladder_view.ts";
import type { SessionDirectory } from "./sessions.ts";
import type { SipService } from "./sip_service.ts";
import { iso, toCallState, toCallSummary, toCallView, toSessionView } from "./views.ts";

export interface QueryPorts {
  readonly clock: Clock;
  readonly sessions: SessionDirectory;
  readonly calls: Calls;
  readonly sip: SipService;
  readonly bus: EventBus;
  readonly ladder: Ladder;
  readonly workers: () => readonly WorkerView[];
  readonly codecs?: () => readonly CodecView[];
  readonly codecWorkers?: () => readonly CodecWorker[];
  readonly protection: { readonly overloadReasons: readonly string[] };
}

/** What operators read: from live snapshots and the archive, paged, changing nothing. */
export class Queries {
  readonly #ports: QueryPorts;
  readonly #version: string;
  readonly #ownAddress: string;
  readonly #startedAt: number;
  readonly #started: Instant;

  /** @param options `ownAddress`: `host:port` of our SIP side, for ladders */
  constructor(
    ports: QueryPorts,
    options: { readonly version: string; readonly ownAddress: string },
  ) {
    this.#ports = ports;
    this.#version = options.version;
    this.#ownAddress = options.ownAddress;
    this.#startedAt = ports.clock.epoch();
    this.#started = ports.clock.now();
  }

  health(): HealthView {
    const { clock, sessions, calls } = this.#ports;
    const workers = this.#ports.workers();
    const running = workers.filter((worker) => worker.state === "running").length;
    const lost = workers.length - running;
    const reasons = [
      ...lost > 0 ? [`${lost} of ${workers.length} media workers do not run`] : [],
      ...this.#ports.protection.overloadReasons,
    ];
    return {
      status: reasons.length === 0 ? "ok" : "degraded",
      reasons,
      version: this.#version,
      startedAt: iso(this.#startedAt),
      uptimeSeconds: Math.floor((clock.now() - this.#started) / 1000),
      sessions: sessions.size,
      sessionsAway: sessions.away,
      calls: calls.size,
      workers: {
        running,
        total: workers.length,
        adopting: workers.filter(({ adopts }) => adopts).length,
        adoptions: workers.reduce((sum, { adoptions }) => sum + adoptions, 0),
      },
      codecs: this.#ports.codecs?.() ?? [],
    };
  }

  workers(): readonly (MediaWorkerView | CodecWorkerView)[] {
    const { workers, codecWorkers } = this.#ports;
    return [
      ...workers().map((worker) => ({ kind: "media" as const, ...worker })),
      ...(codecWorkers?.() ?? []).map(({ name, state, restarts, transcoders, load, isFull }) => ({
        kind: "codec" as const,
        name,
        state,
        restarts,
        transcodings: transcoders,
        load,
        isFull,
      })),
    ];
  }

  sessions(query: SessionQuery): Page<SessionView> {
    const { sessions, calls } = this.#ports;
    const views = function* () {
      for (const record of sessions.live()) {
        const snapshot = record.actor.getSnapshot();
        const view = toSessionView(snapshot.context, snapshot.value, {
          remoteAddress: record.connection?.remoteAddress ?? null,
          calls: calls.ofSession(record.id).length,
        });
        yield { place: record.order, view };
      }
    };
    const fits = (view: SessionView) =>
      (query.state === undefined || view.state === query.state) &&
      (query.user === undefined || view.login === query.user);
    return page(views(), query, fits);
  }

  calls(query: CallQuery): Page<CallSummary> {
    const fits = (view: CallSummary) =>
      (query.state === undefined || view.state === query.state) &&
      (query.user === undefined || view.caller === query.user || view.callee === query.user);
    const views = query.state === "ended" ? this.#endedSummaries() : this.#liveSummaries();
    return page(views, query, fits);
  }

  call(id: string): CallView | undefined {
    const record = this.#ports.calls.get(id);
    if (!record) return this.#transit(id) ?? this.#ports.calls.archive.get(id);
    const { context, value } = record.actor.getSnapshot();
    const { ports } = record.input;
    return toCallView(context, toCallState(value, context), this.#peerOf(record), ports);
  }

  /** SIP messages of a call, as long as it has a view. */
  messages(id: string): LadderView | undefined {
    const call = this.call(id);
    return call && toLadderView(this.#ports.ladder, call, this.#ownAddress);
  }

  registrations(query: RegistrationQuery): Page<RegistrationView> {
    const { sip, clock } = this.#ports;
    const words = (query.q ?? "").toLowerCase().split(/\s+/);
    const after = query.cursor === undefined ? undefined : Number(query.cursor);
    const found: RegistrationView[] = [];
    let cursor = after;
    for (;;) {
      const batch = sip.location.page({
        limit: query.limit,
        ...(cursor === undefined ? {} : { after: cursor }),
      });
      for (const binding of batch.bindings) {
        cursor = binding.sequenceNumber;
        const user = decodeUser(binding.aor);
        if (query.user !== undefined && query.user !== user) continue;
        if (!hasWords(binding, words)) continue;
        found.push({
          aor: binding.aor,
          contact: binding.contact,
          sessionId: sip.sessionOf(binding.flow.id),
          source: binding.flow.remote,
          transport: binding.flow.transport,
          expiresAt: iso(clock.epoch() + binding.expiresAt - clock.now()),
          userAgent: binding.userAgent,
        });
        if (found.length === query.limit) {
          return { items: found, next: batch.next === null ? null : String(cursor) };
        }
      }
      if (batch.next === null) return { items: found, next: null };
    }
  }

  #transit(id: string): CallView | undefined {
    const transit = this.#ports.sip.edge?.transit(id);
    return transit && toTransitView(transit);
  }

  *#liveSummaries(): Generator<Placed<CallSummary>> {
    for (const record of this.#ports.calls.live()) {
      const { context, value } = record.actor.getSnapshot();
      const view = toCallSummary(context, toCallState(value, context), this.#peerOf(record));
      yield { place: record.order, view };
    }
    for (const { order, transit } of this.#ports.sip.edge?.transits() ?? []) {
      yield { place: TRANSIT_PLACE + order, view: toTransitSummary(transit) };
    }
  }

  /** Newest first. */
  #endedSummaries(): Placed<CallSummary>[] {
    return [...this.#ports.calls.archive.all()].reverse()
      .map(({ order, view }) => ({ place: -order, view: summaryOf(view) }));
  }

  /** The other client's call of the same dialog: one's remote tag is the other's local tag. */
  #peerOf(record: CallRecord): string | null {
    const mine = record.resources.dialog.usage;
    if (!mine) return null;
    const peers = this.#ports.calls.ofSipCall(mine.callId);
    for (const other of peers) {
      const theirs = other.resources.dialog.usage;
      if (other === record || !theirs) continue;
      if (theirs.localTag === mine.remoteTag || theirs.remoteTag === mine.localTag) return other.id;
    }
    return null;
  }
}

/** Transit calls stand behind the clients' calls, whose places count up from 1. */
const TRANSIT_PLACE = 2 ** 40;

function summaryOf(view: CallView): CallSummary {
  return {
    id: view.id,
    sessionId: view.sessionId,
    direction: view.direction,
    caller: view.caller,
    callee: view.callee,
    state: view.state,
    since: view.since,
    startedAt: view.startedAt,
    sipCallId: view.sipCallId,
    codecs: view.codecs,
    peerCallId: view.peerCallId,
    lossPercent: view.lossPercent,
    termination: view.termination,
  };
}

/** An item of a list and its place, which never changes; a list goes up by it. */
interface Placed<T> {
  readonly place: number;
  readonly view: T;
}

/**
 * A page of what fits, from behind the place that the cursor names. What stood there may be gone by
 * now: a page that is read while calls end misses none of the others.
 */
function page<T>(
  items: Iterable<Placed<T>>,
  query: PageQuery,
  fits: (item: T) => boolean,
): Page<T> {
  const after = query.cursor === undefined ? -Infinity : Number(query.cursor);
  const found: T[] = [];
  let last = after;
  for (const { place, view } of items) {
    if (!(place > after) || !fits(view)) continue;
    if (found.length === query.limit) return { items: found, next: String(last) };
    found.push(view);
    last = place;
  }
  return { items: found, next: null };
}

/** @param words in small letters; the empty one stands everywhere */
function hasWords({ aor, contact, flow, userAgent }: Binding, words: readonly string[]): boolean {
  if (words.length === 1 && words[0] === "") return true;
  const user = decodeUser(aor);
  const text = `${user} ${aor} ${contact} ${flow.remote} ${flow.transport} ${userAgent ?? ""}`
    .toLowerCase();
  return words.every((word) => text.includes(word));
}

function decodeUser(aor: string): string {
  const user = aor.replace(/^sips?:/, "").split("@")[0] ?? "";
  try {
    return decodeURIComponent(user);
  } catch {
    return user;
  }
}
