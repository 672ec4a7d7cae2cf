import assert from "node:assert/strict";
import {
  defaultSettings,
  type EdgeEffect,
  type WireSettings,
} from "../../src/actors/edge/contract.ts";
import { Edge } from "../../src/actors/edge/edge.ts";
import { SeededEntropy } from "../../src/core/entropy.ts";
import type { EndpointToken, FlowId } from "../../src/core/ids.ts";
import type { Log } from "../../src/core/log.ts";
import { ManualClock } from "../../src/core/manual_clock.ts";
import * as sdp from "../../src/sdp/mod.ts";
import type { Flow, SipTransport } from "../../src/sip/flow.ts";
import {
  createResponse,
  parseMessage,
  serialize,
  type SipMessage,
  SipRequest,
  type SipResponse,
} from "../../src/sip/message/mod.ts";
import { SimMedia } from "../sim/media.ts";
import { SimRtpMedia } from "../sim/rtp_media.ts";
import { browserSdp } from "./browser_sdp.ts";
import { requestText } from "./sip_fixtures.ts";

export const TOKEN = "a".repeat(32) as EndpointToken;
export const SDP = "Content-Type: application/sdp";
export const encoder = new TextEncoder();
export const decoder = new TextDecoder();

export function flow(address: string, transport: SipTransport = "UDP"): Flow {
  return {
    id: `${transport} ${address}` as FlowId,
    transport,
    remote: `${address}:5060`,
    peer: { address, port: 5060 },
  };
}

/** An edge between an element and wires that only keep what they are told. */
export class Stage {
  readonly clock = new ManualClock();
  readonly chance = new SeededEntropy(7);
  readonly rtp = new SimRtpMedia(this.clock, this.chance);
  readonly webrtc = new SimMedia(this.clock, this.chance);
  readonly inner: SipMessage[] = [];
  readonly wire: SipMessage[] = [];
  readonly wireBytes: Uint8Array[] = [];
  readonly effects: EdgeEffect[] = [];
  readonly errors: string[] = [];
  readonly states: string[] = [];
  readonly edge: Edge;

  constructor(settings: Partial<WireSettings> = {}, onState: (state: string) => void = () => {}) {
    const log: Log = {
      debug() {},
      info() {},
      warn() {},
      error: (text) => void this.errors.push(text),
    };
    this.edge = new Edge({
      clock: this.clock,
      entropy: this.chance,
      log,
      sentBy: "198.51.100.1:5060",
      rtp: this.rtp,
      webrtc: this.webrtc,
      settings: (flow) => ({ ...defaultSettings(flow), ...settings }),
      toElement: (input) => {
        assert(input.type === "receive-framed" && input.event.type === "message");
        this.inner.push(input.event.message);
      },
      toWire: (_flow, bytes, message) => {
        this.wire.push(message);
        this.wireBytes.push(bytes);
      },
      onEffect: (effect) => void this.effects.push(effect),
      trace: (_machine, state) => {
        this.states.push(state);
        onState(state);
      },
    });
  }

  in(from: Flow, message: SipMessage | string): void {
    const bytes = typeof message === "string" ? encoder.encode(message) : serialize(message);
    this.edge.incoming({ type: "receive", flow: from, bytes });
  }

  out(to: Flow, message: SipMessage | string): void {
    const made = typeof message === "string" ? read(message) : message;
    this.edge.outgoing(to, made, serialize(made));
  }

  /** Time for endpoints to open. */
  settle(): this {
    this.clock.advance(10);
    return this;
  }

  get live(): number {
    return Object.values(this.edge.counts).reduce((sum, count) => sum + count, 0) +
      this.rtp.live.size + this.webrtc.openEndpoints;
  }
}

export function read(text: string): SipMessage {
  const parsed = parseMessage(encoder.encode(text));
  assert(parsed.ok, parsed.ok ? "" : parsed.error.text);
  return parsed.value;
}

export function body(message: SipMessage | undefined): string {
  return decoder.decode(message?.body);
}

export function phoneSdp(place = "192.0.2.9:4000", more: readonly string[] = []): string {
  const [address, port] = place.split(":");
  return [
    "v=0",
    `o=- 1 1 IN IP4 ${address}`,
    "s=-",
    `c=IN IP4 ${address}`,
    "t=0 0",
    `m=audio ${port} RTP/AVP 0 101`,
    "a=rtpmap:101 telephone-event/8000",
    ...more,
    "",
  ].join("\r\n");
}

export function abstractSdp(token = TOKEN): string {
  const parsed = sdp.parseSdp(browserSdp());
  assert(parsed.ok);
  return sdp.abstractOffer(parsed.value, token);
}

export function invite(text: string | undefined, options: Record<string, unknown> = {}): string {
  const extra = ["Contact: <sip:x@192.0.2.9>", ...(text === undefined ? [] : [SDP])];
  return requestText("INVITE", {
    extra,
    ...(text === undefined ? {} : { body: text }),
    ...options,
  });
}

export function answer(
  request: SipMessage,
  status: number,
  text?: string,
  toTag = "b",
): SipResponse {
  assert(request instanceof SipRequest);
  return createResponse(request, status, undefined, {
    toTag,
    ...(text === undefined ? {} : { body: encoder.encode(text), contentType: "application/sdp" }),
  });
}

export function inDialog(
  method: string,
  sequence: number,
  fromCaller: boolean,
  text?: string,
): string {
  const [from, to] = ["<sip:alice@example.com>;tag=a", "<sip:bob@example.com>;tag=b"];
  return requestText(method, {
    sequence,
    branch: `z9hG4bK${method}${sequence}${fromCaller}`,
    from: fromCaller ? from : to,
    to: fromCaller ? to : from,
    ...(text === undefined ? {} : { body: text, extra: [SDP] }),
  });
}

/** A phone has called and talks with an endpoint inside. */
export function talking(settings: Partial<WireSettings> = {}, from = flow("192.0.2.9")): Stage {
  const stage = new Stage(settings);
  stage.in(from, invite(phoneSdp()));
  stage.settle();
  const abstract = sdp.parseSdp(body(stage.inner[0]));
  assert(abstract.ok);
  const said = sdp.abstractAnswer(abstract.value, abstract.value, TOKEN);
  assert(said.ok);
  stage.out(from, answer(stage.inner[0]!, 200, said.value));
  stage.in(from, inDialog("ACK", 1, true));
  return stage;
}
