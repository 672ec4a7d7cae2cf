/// <reference lib="dom" />
import type {
  CallSummary,
  CallView,
  HealthView,
  LadderMessage,
  LadderView,
  SessionView,
} from "../../src/actors/control_plane.ts";

export type { CallSummary, CallView, HealthView, LadderMessage, LadderView, SessionView };

/** The server answered, but not with what was asked for. */
export class ApiRefusal extends Error {
  constructor(readonly status: number, text: string) {
    super(text);
  }
}

/** The lists are for eyes: who has more than this looks at the API. */
export const LIST_LIMIT = 200;
export const ENDED_LIMIT = 50;
const TIMEOUT_MS = 5_000;

export interface Overview {
  readonly health: HealthView;
  readonly calls: readonly CallSummary[];
  readonly hasMoreCalls: boolean;
  readonly ended: readonly CallSummary[];
  readonly sessions: readonly SessionView[];
  readonly hasMoreSessions: boolean;
}

interface CallList {
  readonly calls: readonly CallSummary[];
  readonly next: string | null;
}

interface SessionList {
  readonly sessions: readonly SessionView[];
  readonly next: string | null;
}

export async function fetchOverview(): Promise<Overview> {
  const [health, live, ended, sessions] = await Promise.all([
    read<HealthView>("/api/health"),
    read<CallList>(`/api/calls?limit=${LIST_LIMIT}`),
    read<CallList>(`/api/calls?state=ended&limit=${ENDED_LIMIT}`),
    read<SessionList>(`/api/sessions?limit=${LIST_LIMIT}`),
  ]);
  return {
    health,
    calls: live.calls,
    hasMoreCalls: live.next !== null,
    ended: ended.calls,
    sessions: sessions.sessions,
    hasMoreSessions: sessions.next !== null,
  };
}

/** Undefined once the server has forgotten the call. */
export function fetchCall(id: string): Promise<CallView | undefined> {
  return readKnown<CallView>(`/api/calls/${encodeURIComponent(id)}`);
}

/** The SIP messages of a call; undefined once the server has forgotten it. */
export function fetchLadder(id: string): Promise<LadderView | undefined> {
  return readKnown<LadderView>(ladderHref(id, "json"));
}

export function ladderHref(id: string, format: "json" | "text" | "pcap"): string {
  return `/api/calls/${encodeURIComponent(id)}/messages?format=${format}`;
}

async function readKnown<T>(path: string): Promise<T | undefined> {
  try {
    return await read<T>(path);
  } catch (fault) {
    if (fault instanceof ApiRefusal && fault.status === 404) return undefined;
    throw fault;
  }
}

/** A call that has ended meanwhile is no fault: that is what was wanted. */
export async function endCall(id: string): Promise<void> {
  const response = await fetch(`/api/calls/${encodeURIComponent(id)}`, {
    method: "DELETE",
    // Writes are taken with this type only, which keeps other sites' pages out.
    headers: { "content-type": "application/json" },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok && ![404, 409, 410].includes(response.status)) {
    throw await refusalOf(response);
  }
}

async function read<T>(path: string): Promise<T> {
  const response = await fetch(path, {
    headers: { accept: "application/json" },
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  // A degraded server says so with its health, which is still worth reading.
  const isHealth = path === "/api/health" && response.status === 503;
  if (!response.ok && !isHealth) throw await refusalOf(response);
  return await response.json() as T;
}

async function refusalOf(response: Response): Promise<ApiRefusal> {
  let text = `The server answered ${response.status} ${response.statusText}`.trim();
  try {
    const body: unknown = await response.json();
    const detail = (body as { detail?: unknown } | null)?.detail;
    if (typeof detail === "string") text = detail;
  } catch {
    // No problem document: the status has to do.
  }
  return new ApiRefusal(response.status, text);
}
