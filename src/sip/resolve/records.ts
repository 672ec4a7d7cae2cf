/** DNS as RFC 3263 needs it: what is asked and what comes back. */

export type Query =
  | { readonly type: "NAPTR"; readonly name: string }
  | { readonly type: "SRV"; readonly name: string }
  | { readonly type: "A"; readonly name: string }
  | { readonly type: "AAAA"; readonly name: string };

/** RFC 3403 4.1. */
export interface NaptrRecord {
  readonly order: number;
  readonly preference: number;
  /** `S` leads to SRV, `A` to addresses. */
  readonly flags: string;
  /** `SIP+D2U` and its kin. */
  readonly services: string;
  readonly regexp: string;
  readonly replacement: string;
}

/** RFC 2782. */
export interface SrvRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** `.`: decidedly not available. */
  readonly target: string;
}

/** Records of one query; none where there are none or nobody could tell. */
export type Answer =
  | { readonly type: "NAPTR"; readonly records: readonly NaptrRecord[] }
  | { readonly type: "SRV"; readonly records: readonly SrvRecord[] }
  | { readonly type: "A" | "AAAA"; readonly records: readonly string[] };
