import type { FlowId } from "../../src/core/ids.ts";
import { SeededEntropy } from "../../src/core/entropy.ts";
import { ok } from "../../src/core/result.ts";
import type { Flow, SipTransport } from "../../src/sip/flow.ts";
import {
  encodeText,
  parseUri,
  type SipMessage,
  type SipRequest,
  StreamFramer,
} from "../../src/sip/message/mod.ts";
import { ProxyCore, type ProxyPolicy } from "../../src/sip/proxy/proxy.ts";
import { Pair } from "../support/sip_pair.ts";
import type { Outcome } from "./rows.ts";
import { options, register } from "./own/build.ts";

/** What an element did with one message. */
export interface Heard {
  readonly outcomes: readonly Outcome[];
  /** Requests that reached the phone of everybody. */
  readonly forwarded: readonly SipRequest[];
  /** Answers to the sender. */
  readonly answers: readonly SipMessage[];
  /** The framer could go on. */
  readonly isOpen: boolean;
}

const PHONE = "sip:everybody@phone.example.org";

function policy(accounts: boolean): ProxyPolicy {
  const target = parseUri("sip:everybody@example.org");
  return {
    isOurs: () => true,
    canonicalDomain: "example.org",
    authorize: (request) =>
      accounts && request.method === "REGISTER"
        ? { kind: "challenge", realm: "example.org", username: null }
        : { kind: "allow", identity: null },
    account: () => undefined,
    hasAccount: () => false,
    translate: (_request, uri) => uri.isSip && target.ok ? ok(target.value) : undefined,
  };
}

/** A registrar and proxy with one phone that takes everybody's calls. */
class Bench {
  readonly #core: ProxyCore;
  readonly #sender: Flow;
  readonly #phone: Flow;
  #now = 0;

  constructor(transport: SipTransport, accounts: boolean) {
    this.#core = new ProxyCore({
      entropy: new SeededEntropy(1),
      sentBy: "proxy.example.org:5060",
      policy: policy(accounts),
    });
    this.#sender = flow("sender", transport);
    this.#phone = flow("phone", transport);
    const binding = {
      aor: "everybody@example.org",
      contact: PHONE,
      contactValue: `<${PHONE}>`,
      flow: this.#phone,
      callId: "restored",
      sequence: 1,
      expiresAt: 3_600_000,
      q: 1,
      instance: null,
      regId: null,
      path: [],
      refreshedAt: 0,
      userAgent: null,
    };
    this.#core.handle({ type: "restore", binding }, this.#now);
  }

  datagram(bytes: Uint8Array): Heard {
    this.#core.handle({ type: "receive", flow: this.#sender, bytes }, ++this.#now);
    return this.#drain(true);
  }

  stream(bytes: Uint8Array): Heard {
    const framer = new StreamFramer();
    let isOpen = true;
    // In pieces that fit nothing in particular.
    for (let at = 0; at < bytes.length; at += 97) {
      for (const event of framer.push(bytes.subarray(at, at + 97))) {
        if (event.type !== "message" && event.type !== "fault") continue;
        isOpen &&= event.type === "message";
        this.#core.handle({ type: "receive-framed", flow: this.#sender, event }, ++this.#now);
      }
    }
    return this.#drain(isOpen);
  }

  #drain(isOpen: boolean): Heard {
    const outcomes: Outcome[] = [];
    const forwarded: SipRequest[] = [];
    const answers: SipMessage[] = [];
    for (let out = this.#core.poll(); out; out = this.#core.poll()) {
      if (out.type !== "send") continue;
      const { message, flow } = out;
      if (message.kind === "request" && flow === this.#phone) {
        forwarded.push(message);
        outcomes.push({ forwarded: message.method });
      } else if (message.kind === "response" && message.status !== 100) {
        answers.push(message);
        outcomes.push({ status: message.status });
      }
    }
    return { outcomes, forwarded, answers, isOpen };
  }
}

/** The message to registrar and proxy, and an OPTIONS after it: they must be well. */
export function askProxy(
  bytes: Uint8Array,
  transport: "UDP" | "TCP",
  accounts: boolean,
): Heard & { readonly isWell: boolean } {
  const bench = new Bench(transport, accounts);
  const heard = transport === "UDP" ? bench.datagram(bytes) : bench.stream(bytes);
  const after = bench.datagram(options({}, "OPTIONS sip:example.org SIP/2.0"));
  const registered = accounts || bench.datagram(register()).outcomes.length === 1;
  const [outcome] = after.outcomes;
  const isWell = typeof outcome === "object" && "status" in outcome && outcome.status === 200;
  return { ...heard, isWell: isWell && registered };
}

/** The message to a user agent, named by the Request-URI where `retarget` says so. */
export function askAgent(bytes: Uint8Array): Outcome {
  const pair = new Pair();
  pair.toBob(retarget(bytes, pair.bob.agent.contact));
  const answer = pair.messages.map(({ message }) => message)
    .find((message) => message.kind === "response" && message.status !== 100);
  return answer?.kind === "response" ? { status: answer.status } : "silent";
}

/** A request line's URI replaced: user agents answer only for their own contact. */
function retarget(bytes: Uint8Array, uri: string): Uint8Array {
  const end = bytes.indexOf(0x0d);
  const line = new TextDecoder().decode(bytes.subarray(0, end));
  if (line.startsWith("SIP/")) return bytes;
  const [method, , ...version] = line.split(" ");
  const start = encodeText(`${method} ${uri} ${version.join(" ")}`);
  const out = new Uint8Array(start.length + bytes.length - end);
  out.set(start);
  out.set(bytes.subarray(end), start.length);
  return out;
}

function flow(id: string, transport: SipTransport): Flow {
  return { id: id as FlowId, transport, remote: id };
}
