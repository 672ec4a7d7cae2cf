import type { SrtpKeys, SrtpProfile } from "../../../src/rtp/contract.ts";

/** One leg of a call table: where its peer sends from and to, and by which keys. */
export interface TableLeg {
  /** UDP ports on 127.0.0.1 of the generator's side and of the relay's. */
  readonly peerPort: number;
  readonly relayPort: number;
  /** Null: plain RTP. */
  readonly keys: SrtpKeys | null;
  /** Whether other legs have the same relay port. */
  readonly isShared: boolean;
}

const PROFILES: Readonly<Record<string, SrtpProfile>> = { 1: 1, 2: 2, 3: 7, 4: 8 };
const KEY_LENGTH: Readonly<Record<SrtpProfile, number>> = { 1: 16, 2: 16, 7: 16, 8: 32 };

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function keysOf(profile: string, receive: string, send: string): SrtpKeys | null {
  if (profile === "0") return null;
  const known = PROFILES[profile];
  if (known === undefined) throw new Error(`profile ${profile} of the table is not known, 0 to 4`);
  const [remote, local] = [bytesOf(receive), bytesOf(send)];
  const length = KEY_LENGTH[known];
  return {
    profile: known,
    localKey: local.slice(0, length),
    localSalt: local.slice(length),
    remoteKey: remote.slice(0, length),
    remoteSalt: remote.slice(length),
  };
}

/**
 * Reads a call table: a line a call, its columns the generator's port of side A, the relay's, the
 * same two of side B, the profile of A (0 RTP, 1 SHA1_80, 2 SHA1_32, 3 GCM-128, 4 GCM-256), the key
 * and salt in hex by which A sends and by which the relay sends to A (`-`: none), and the same
 * three of B. Legs 2n and 2n+1 are the two of call n.
 */
export function readTable(text: string): TableLeg[] {
  const legs: Omit<TableLeg, "isShared">[] = [];
  for (const line of text.trim().split("\n")) {
    const columns = line.trim().split(/\s+/);
    if (columns.length !== 10) {
      throw new Error(`a line of the table has ${columns.length} columns, expected 10: ${line}`);
    }
    const [ap, ra, bp, rb, pa, ka1, ka2, pb, kb1, kb2] = columns as [
      string,
      string,
      string,
      string,
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    legs.push({ peerPort: Number(ap), relayPort: Number(ra), keys: keysOf(pa, ka1, ka2) });
    legs.push({ peerPort: Number(bp), relayPort: Number(rb), keys: keysOf(pb, kb1, kb2) });
  }
  const uses = new Map<number, number>();
  for (const { relayPort } of legs) uses.set(relayPort, (uses.get(relayPort) ?? 0) + 1);
  return legs.map((leg) => ({ ...leg, isShared: uses.get(leg.relayPort)! > 1 }));
}

/**
 * Deals the calls out to so many workers; those with a port in common, on either side, stay
 * together.
 */
export function splitTable(text: string, workers: number): string[] {
  const lines = text.trim().split("\n");
  const portsOf = (line: string) => {
    const columns = line.trim().split(/\s+/);
    return [columns[1] ?? "", columns[3] ?? ""];
  };
  /** From a port to another of the same group, and at last to the one that stands for it. */
  const joined = new Map<string, string>();
  const find = (port: string): string => {
    let root = port;
    for (let next = joined.get(root); next !== undefined; next = joined.get(root)) root = next;
    if (root !== port) joined.set(port, root);
    return root;
  };
  for (const line of lines) {
    const [a, b] = portsOf(line).map(find) as [string, string];
    if (a !== b) joined.set(b, a);
  }
  const groups = Map.groupBy(lines, (line) => find(portsOf(line)[0]!));
  const tables = Array.from({ length: Math.min(workers, groups.size) }, (): string[] => []);
  [...groups.values()].forEach((lines, i) => tables[i % tables.length]!.push(...lines));
  return tables.map((lines) => lines.join("\n") + "\n");
}
