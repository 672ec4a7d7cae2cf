import type { Instant } from "../../core/clock.ts";
import type { Flow, SipTransport } from "../flow.ts";
import { type Binding, bindingKey, type NewBinding } from "./location.ts";
import { parseUri } from "../message/mod.ts";
import { StoredBinding } from "./stored_binding.ts";

/**
 * A binding as it outlives the process: wall clock instead of ours, an address instead of a flow.
 */
export interface BindingRecord {
  readonly aor: string;
  /** Unique in its AoR. */
  readonly key: string;
  readonly contact: string;
  readonly contactValue: string;
  readonly callId: string;
  readonly sequence: number;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  readonly q: number;
  readonly instance: string | null;
  readonly regId: number | null;
  readonly path: readonly string[];
  readonly userAgent: string | null;
  readonly transport: SipTransport;
  /** IP address, without brackets, and port that the phone's packets come from. */
  readonly address: string;
  readonly port: number;
}

/** Where bindings are kept. Writes need not be done when a method returns, but keep their order. */
export interface BindingStore {
  load(): readonly BindingRecord[];
  put(record: BindingRecord): void;
  remove(aor: string, key: string): void;
}

/** Offsets between our clock and the wall's, ms. */
interface Clocks {
  now(): Instant;
  epoch(): number;
}

export function recordKey(binding: NewBinding): string {
  if (binding instanceof StoredBinding) return binding.key;
  const { contact, instance, regId } = binding;
  const uri = parseUri(contact);
  return uri.ok ? bindingKey(uri.value, instance, regId) : contact;
}

/**
 * What is worth keeping of a binding; undefined where its flow ends with us: a session's own, and a
 * connection, whose phone connects and registers anew by itself (RFC 5626 4.4).
 */
export function toRecord(binding: Binding, clocks: Clocks): BindingRecord | undefined {
  const { flow } = binding;
  if (flow.transport !== "UDP" || flow.peer?.port === undefined) return undefined;
  const { aor, contact, contactValue, callId, sequence, q, instance, regId, path } = binding;
  return {
    aor,
    key: recordKey(binding),
    contact,
    contactValue,
    callId,
    sequence,
    expiresAt: clocks.epoch() + binding.expiresAt - clocks.now(),
    q,
    instance,
    regId,
    path,
    userAgent: binding.userAgent,
    transport: flow.transport,
    address: flow.peer.address,
    port: flow.peer.port,
  };
}

/** The binding on a new flow to its address; undefined where it has expired meanwhile. */
export function fromRecord(
  record: BindingRecord,
  flow: Flow,
  clocks: Clocks,
): NewBinding | undefined {
  const { key: _key, transport: _transport, address: _address, port: _port, ...kept } = record;
  const now = clocks.now();
  const left = record.expiresAt - clocks.epoch();
  return left > 0 ? { ...kept, flow, expiresAt: now + left, refreshedAt: now } : undefined;
}
