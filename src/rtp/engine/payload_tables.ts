import type { PayloadKind, RtpPayload } from "../contract.ts";
import type { Kind } from "./out_streams.ts";

/**
 * Tables by payload type. Thousands of calls agree on the same few, so what is alike is one: they
 * are never changed.
 */
const SIZE = 128;
/** Tables kept for the next one who agrees on the same; those in use live on anyway. */
const MAX_KEPT = 256;

/** By payload type; null: not negotiated. */
export type PayloadTable = readonly (PayloadKind | null)[];

/** What a section of a SIP leg has agreed on. */
export interface SectionPayloads {
  /** Wire payload type to the joined endpoint's, and back; -1: not negotiated. */
  readonly payloadIn: Int16Array;
  readonly payloadOut: Int16Array;
  /** By the joined endpoint's payload type. */
  readonly payloads: PayloadTable;
  /** By the joined endpoint's payload type: 1 for telephone-event. */
  readonly isEvent: Uint8Array;
  /** Wire payload type of telephone-event by clock rate. */
  readonly events: ReadonlyMap<number, number>;
  /** The first real codec, and its wire payload type; what silence is sent as. */
  readonly main: PayloadKind | null;
  readonly mainPayloadType: number;
}

const tables = new Map<string, PayloadTable>();
const sections = new Map<string, SectionPayloads>();

export function tableOf(payloads: readonly PayloadKind[]): PayloadTable {
  return shared(tables, JSON.stringify(payloads), () => {
    const table: (PayloadKind | null)[] = new Array(SIZE).fill(null);
    for (const payload of payloads) {
      if (isPayloadType(payload.payloadType)) table[payload.payloadType] = payload;
    }
    return table;
  });
}

export function sectionPayloadsOf(kind: Kind, payloads: readonly RtpPayload[]): SectionPayloads {
  return shared(sections, `${kind} ${JSON.stringify(payloads)}`, () => build(kind, payloads));
}

function build(kind: Kind, agreed: readonly RtpPayload[]): SectionPayloads {
  const payloadIn = new Int16Array(SIZE).fill(-1);
  const payloadOut = new Int16Array(SIZE).fill(-1);
  const payloads: (PayloadKind | null)[] = new Array(SIZE).fill(null);
  const isEvent = new Uint8Array(SIZE);
  const events = new Map<number, number>();
  let main: PayloadKind | null = null;
  let mainPayloadType = -1;
  for (const { payloadType, peerPayloadType, codec, clockRate } of agreed) {
    if (!isPayloadType(payloadType) || !isPayloadType(peerPayloadType)) continue;
    const payload: PayloadKind = { payloadType: peerPayloadType, kind, codec, clockRate };
    payloadIn[payloadType] = peerPayloadType;
    if (payloadOut[peerPayloadType]! < 0) payloadOut[peerPayloadType] = payloadType;
    payloads[peerPayloadType] = payload;
    const name = codec.toLowerCase();
    if (name === "telephone-event") {
      events.set(clockRate, payloadType);
      isEvent[peerPayloadType] = 1;
    } else if (main === null && name !== "cn") {
      main = payload;
      mainPayloadType = payloadType;
    }
  }
  return { payloadIn, payloadOut, payloads, isEvent, events, main, mainPayloadType };
}

function shared<T>(kept: Map<string, T>, key: string, make: () => T): T {
  let table = kept.get(key);
  if (table !== undefined) return table;
  if (kept.size >= MAX_KEPT) kept.clear();
  table = make();
  kept.set(key, table);
  return table;
}

function isPayloadType(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < SIZE;
}
