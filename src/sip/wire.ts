import type { Result } from "../core/result.ts";
import type { Flow } from "./flow.ts";
import type { SipUri } from "./message/mod.ts";
import type { Target } from "./resolve/target.ts";

/** The network as SIP elements use it; `sip/io` is behind it. Faults are sentences. */
export interface WirePort {
  /** On a flow that is gone bytes are dropped. */
  send(flow: Flow, bytes: Uint8Array): void;
  /** Places to try for a URI, best first, at least one (RFC 3263). `done` comes later, once. */
  resolve(uri: SipUri, done: (result: Result<readonly Target[], string>) => void): void;
  /** A flow to a target, opened where there is none. `done` comes later, once. */
  connect(target: Target, done: (result: Result<Flow, string>) => void): void;
}
