/// <reference lib="dom" />
import type {
  AccountView,
  CallSummary,
  CallView,
  CodecWorkerView,
  HealthView,
  LadderView,
  MediaWorkerView,
  RegistrationView,
  SessionView,
  TrunkView,
} from "../../src/actors/control_plane.ts";

export type * from "../../src/actors/control_plane.ts";

export type WorkerView = MediaWorkerView | CodecWorkerView;

/** The server answered, but not with what was asked for. */
export class ApiRefusal extends Error {
  constructor(readonly status: number, text: string) {
    super(text);
  }
}

/** The lists are for eyes: who has more than this looks at the API. */
export const LIST_LIMIT = 1000;
export const ENDED_LIMIT = 50;
const TIMEOUT_MS = 5_000;
/** A phone may take its time to agree to hold or transfer. */
const WRITE_TIMEOUT_MS = 40_000;

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

/** A list of the API, and whether there is more than it shows here. */
export interface Listed<T> {
  readonly items: readonly T[];
  readonly hasMore: boolean;
}

/**
 * SIP phones: bindings of the registrar that are no sessions of ours.
 * @param words that all stand in what is shown of a phone; "": all phones
 */
export async function fetchPhones(words: string): Promise<Listed<RegistrationView>> {
  const more = words.trim() === "" ? "" : `&q=${encodeURIComponent(words.trim())}`;
  const { items, hasMore } = await readList<RegistrationView>("registrations", more);
  return { items: items.filter(({ sessionId }) => sessionId === null), hasMore };
}

export const fetchAccounts = (): Promise<Listed<AccountView>> => readList("accounts");

/** All there are: trunks come from the configuration and are few. */
export async function fetchTrunks(): Promise<Listed<TrunkView>> {
  const { trunks } = await read<{ readonly trunks: readonly TrunkView[] }>("/api/trunks");
  return { items: trunks, hasMore: false };
}

/** All there are: about as many as the machine has cores. */
export async function fetchWorkers(): Promise<Listed<WorkerView>> {
  const { workers } = await read<{ readonly workers: readonly WorkerView[] }>("/api/workers");
  return { items: workers, hasMore: false };
}

async function readList<T>(plural: string, more = ""): Promise<Listed<T>> {
  const answer = await read<Record<string, unknown>>(`/api/${plural}?limit=${LIST_LIMIT}${more}`);
  return { items: answer[plural] as readonly T[], hasMore: answer["next"] !== null };
}

/** A call that has ended meanwhile is no fault: that is what was wanted. */
export const endCall = (id: string): Promise<void> =>
  write("DELETE", callPath(id), undefined, [404, 409, 410]);

/** Resolves once the far side has agreed. */
export const setHold = (id: string, isOn: boolean): Promise<void> =>
  write("POST", `${callPath(id)}/${isOn ? "hold" : "unhold"}`);

export const sendDigits = (id: string, digits: string): Promise<void> =>
  write("POST", `${callPath(id)}/dtmf`, { digits });

/** Resolves once it is under way; the call's view tells the rest. */
export const transferCall = (id: string, target: string): Promise<void> =>
  write("POST", `${callPath(id)}/transfer`, { target });

export interface NewAccount {
  readonly name: string;
  readonly password: string;
  readonly rights: readonly string[];
  readonly number: string | null;
}

export const createAccount = (account: NewAccount): Promise<void> =>
  write("POST", "/api/accounts", { ...account });

export const setPassword = (name: string, password: string): Promise<void> =>
  write("POST", `${accountPath(name)}/password`, { password });

export const removeAccount = (name: string): Promise<void> =>
  write("DELETE", accountPath(name), undefined, [404]);

const callPath = (id: string) => `/api/calls/${encodeURIComponent(id)}`;
const accountPath = (name: string) => `/api/accounts/${encodeURIComponent(name)}`;

/** @param welcome refusals that are as good as success */
async function write(
  method: "POST" | "DELETE",
  path: string,
  body?: Readonly<Record<string, unknown>>,
  welcome: readonly number[] = [],
): Promise<void> {
  const response = await fetch(path, {
    method,
    // Writes are taken with this type only, which keeps other sites' pages out.
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(WRITE_TIMEOUT_MS),
  });
  if (!response.ok && !welcome.includes(response.status)) throw await refusalOf(response);
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
