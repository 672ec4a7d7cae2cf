import type { Flow } from "../flow.ts";
import type { Binding } from "../registrar/location.ts";

/** Where a request may go: a URI and the flow that leads there. */
export interface Target {
  readonly uri: string;
  /** Null: outside, to be looked up and connected (RFC 3263). */
  readonly flow: Flow | null;
  /** Route values in front of those of the request: the binding's Path (RFC 3327). */
  readonly path?: readonly string[];
  /** Other flows of the same device, tried in turn where this one is gone (RFC 5626). */
  readonly alternates?: readonly Target[];
  /**
   * The alternates stand in for this place too where it fails (5xx, 408) or takes too long; they
   * are other ways to the same party.
   */
  readonly failover?: Failover;
}

/** How long a place may take, ms. */
export interface Failover {
  /** To say anything at all. */
  readonly silentMs: number;
  /** From its 100 to what tells that the call goes on. */
  readonly progressMs: number;
}

/** Targets in the order of trial: one group after the other, all of a group at once. */
export type TargetGroups = readonly (readonly Target[])[];

/**
 * The target set of an AoR: groups by falling q (RFC 3261 16.6), and never two flows of one device
 * at a time (RFC 5626 7).
 * @param bindings best first, as `Location.lookup` gives them
 */
export function groupBindings(bindings: readonly Binding[]): TargetGroups {
  const devices = new Map<string, Binding[]>();
  for (const binding of bindings) {
    const key = binding.regId === null ? `contact ${binding.sequenceNumber}` : binding.instance!;
    const flows = devices.get(key);
    if (flows) flows.push(binding);
    else devices.set(key, [binding]);
  }
  const groups = new Map<number, Target[]>();
  for (const flows of devices.values()) {
    const q = flows[0]!.q;
    const target = chain(flows.toSorted((a, b) => b.refreshedAt - a.refreshedAt));
    const group = groups.get(q);
    if (group) group.push(target);
    else groups.set(q, [target]);
  }
  return [...groups].sort(([a], [b]) => b - a).map(([, group]) => group);
}

/** Groups of `breadth` at most: what may not be asked at once is asked in turn (RFC 5393 5.3.3). */
export function limitBreadth(groups: TargetGroups, breadth: number): TargetGroups {
  return groups.flatMap((group) => {
    const parts: Target[][] = [];
    for (let at = 0; at < group.length; at += breadth) parts.push(group.slice(at, at + breadth));
    return parts;
  });
}

/** The flow used last first, the others behind it. */
function chain(flows: readonly Binding[]): Target {
  const [first, ...rest] = flows.map(({ contact, flow, path }): Target => ({
    uri: contact,
    flow,
    ...(path.length > 0 ? { path } : {}),
  }));
  return rest.length > 0 ? { ...first!, alternates: rest } : first!;
}
