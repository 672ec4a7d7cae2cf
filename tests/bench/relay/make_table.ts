import { createHash } from "node:crypto";

/** What a call table is to hold; its columns are in `table.ts`. */
export interface TableSpec {
  readonly calls: number;
  /** Of side A and B: 0 RTP, 1 SHA1_80, 2 SHA1_32, 3 GCM-128, 4 GCM-256. */
  readonly profiles: readonly [number, number];
  /** Whether all calls have one relay port on that side. */
  readonly shared: readonly [boolean, boolean];
  /** Of the generator; its legs follow one another. Relay ports lie beside them. */
  readonly firstPort: number;
  /** Packets of a video frame, which are sent at once; absent: audio. */
  readonly frame?: number;
  /** Each has shared ports of its own; default 1. */
  readonly workers?: number;
}

/** The most calls that the port plan has room for. */
export const MAX_CALLS = 2000;

export function materialLength(profile: number): number {
  return [0, 30, 30, 28, 44][profile] ?? 0;
}

/** Key and salt that follow from a name. */
export function keyMaterial(name: string, length: number): Uint8Array {
  const bytes = createHash("sha512").update(`bench ${name}`).digest();
  return Uint8Array.from(bytes.subarray(0, length));
}

export function makeTable(spec: TableSpec): string {
  const { calls, profiles, shared, firstPort, workers = 1 } = spec;
  const hex = (name: string, profile: number) =>
    profile === 0
      ? "-"
      : Array.from(keyMaterial(name, materialLength(profile)), (byte) =>
        byte.toString(16).padStart(2, "0")).join("");
  const lines = Array.from({ length: calls }, (_, call) => {
    const side = (index: 0 | 1) => {
      const port = firstPort + 2 * call + index;
      const worker = call % workers;
      const relay = shared[index] ? firstPort - 2 - 2 * worker + index : port + 2 * calls;
      return `${port} ${relay}`;
    };
    const keys = (index: 0 | 1) => {
      const profile = profiles[index];
      const name = `${call}${"ab"[index]}`;
      return `${profile} ${hex(`${name} to relay`, profile)} ${hex(`${name} from relay`, profile)}`;
    };
    return `${side(0)} ${side(1)} ${keys(0)} ${keys(1)}`;
  });
  return lines.join("\n") + "\n";
}
