import assert from "node:assert/strict";
import {
  defaultSettings,
  type EdgeEffect,
  type WireSettings,
} from "../../../src/actors/edge/contract.ts";
import { Edge } from "../../../src/actors/edge/edge.ts";
import { SeededEntropy } from "../../../src/core/entropy.ts";
import type { EndpointToken, FlowId } from "../../../src/core/ids.ts";
import type { Log } from "../../../src/core/log.ts";
import { ManualClock } from "../../../src/core/manual_clock.ts";
import type { Flow, SipTransport } from "../../../src/sip/flow.ts";
import {
  createResponse,
  parseMessage,
  serialize,
  type SipMessage,
  SipRequest,
  type SipResponse,
} from "../../../src/sip/message/mod.ts";
import * as sdp from "../../../src/sdp/mod.ts";
import { SimMedia } from "../../sim/media.ts";
import { MEDIA_ADDRESS, SimRtpMedia } from "../../sim/rtp_media.ts";
import { browserSdp } from "../../support/browser_sdp.ts";
import { requestText } from "../../support/sip_fixtures.ts";

const TOKEN = "a".repeat(32) as EndpointToken;
const SDP = "Content-Type: application/sdp";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

function flow(address: string, transport: SipTransport = "UDP"): Flow {
  return {
    id: `${transport} ${address}` as FlowId,
    transport,
    remote: `${address}:5060`,
    peer: { address, port: 5060 },
  };
}

/** An edge between an element and wires that only keep what they are told. */
class Stage {
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

function read(text: string): SipMessage {
  const parsed = parseMessage(encoder.encode(text));
  assert(parsed.ok, parsed.ok ? "" : parsed.error.text);
  return parsed.value;
}

function body(message: SipMessage | undefined): string {
  return decoder.decode(message?.body);
}

function phoneSdp(place = "192.0.2.9:4000", more: readonly string[] = []): string {
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

function abstractSdp(token = TOKEN): string {
  const parsed = sdp.parseSdp(browserSdp());
  assert(parsed.ok);
  return sdp.abstractOffer(parsed.value, token);
}

function invite(text: string | undefined, options: Record<string, unknown> = {}): string {
  const extra = ["Contact: <sip:x@192.0.2.9>", ...(text === undefined ? [] : [SDP])];
  return requestText("INVITE", {
    extra,
    ...(text === undefined ? {} : { body: text }),
    ...options,
  });
}

function answer(request: SipMessage, status: number, text?: string, toTag = "b"): SipResponse {
  assert(request instanceof SipRequest);
  return createResponse(request, status, undefined, {
    toTag,
    ...(text === undefined ? {} : { body: encoder.encode(text), contentType: "application/sdp" }),
  });
}

function inDialog(method: string, sequence: number, fromCaller: boolean, text?: string): string {
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
function talking(settings: Partial<WireSettings> = {}, from = flow("192.0.2.9")): Stage {
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

Deno.test("edge: what has no description passes byte for byte, at once", () => {
  const stage = new Stage();
  const message = read(requestText("MESSAGE", {
    body: "a=x-pz-endpoint:hello",
    extra: ["Content-Type: text/plain"],
  }));
  const bytes = serialize(message);
  stage.edge.outgoing(flow("192.0.2.9"), message, bytes);
  assert.equal(stage.wireBytes[0], bytes);
  stage.in(flow("192.0.2.9"), message);
  assert.equal(body(stage.inner[0]), "a=x-pz-endpoint:hello");
  stage.in(flow("192.0.2.9"), requestText("OPTIONS"));
  assert.equal(stage.inner.length, 2);
  assert.equal(stage.live, 0);
});

Deno.test("edge: tokens are never taken from outside", () => {
  const mark = `a=x-pz-endpoint:${"f".repeat(32)}`;
  const stage = new Stage();
  stage.in(flow("192.0.2.9"), invite(`${phoneSdp()}${mark}\r\n`));
  stage.settle();
  const abstract = sdp.parseSdp(body(stage.inner[0]));
  assert(abstract.ok);
  assert.equal(abstract.value.token, stage.rtp.all[0]!.token);
  // Among several parts too, and where no type is given.
  const parts = [
    "--x",
    "Content-Type: text/plain",
    "",
    "v=0",
    mark,
    "--x",
    "Content-Type: application/sdp",
    "",
    phoneSdp().trimEnd(),
    mark,
    "--x--",
    "",
  ].join("\r\n");
  const multipart = invite(undefined, {
    callId: "2",
    body: parts,
    extra: ["Content-Type: multipart/mixed;boundary=x", "Contact: <sip:x@192.0.2.9>"],
  });
  stage.in(flow("192.0.2.9"), multipart);
  stage.in(flow("192.0.2.9"), invite(undefined, { callId: "3", body: `${phoneSdp()}${mark}\r\n` }));
  const foreign = [`Content-Type: application/isup`, "Contact: <sip:x@192.0.2.9>"];
  stage.in(
    flow("192.0.2.9"),
    invite(undefined, { callId: "4", body: `v=0\r\n${mark}\r\n`, extra: foreign }),
  );
  stage.settle();
  assert.equal(stage.inner.length, 4);
  for (const message of stage.inner) {
    assert(!body(message).includes("f".repeat(32)), body(message));
  }
  assert.equal(
    stage.inner.filter((message) => message.contentType === "application/sdp").length,
    3,
  );
});

Deno.test("edge: messages of a dialog keep their order while its endpoint opens", () => {
  const stage = new Stage();
  const to = flow("192.0.2.9");
  const first = read(invite(abstractSdp()));
  stage.out(to, first);
  stage.out(to, first);
  stage.out(to, requestText("CANCEL"));
  assert.equal(stage.wire.length, 0);
  stage.settle();
  assert.deepEqual(stage.wire.map((message) => (message as SipRequest).method), [
    "INVITE",
    "CANCEL",
  ]);
  const said = body(stage.wire[0]);
  assert.match(said, new RegExp(`^c=IN IP4 ${MEDIA_ADDRESS}\r$`, "m"));
  // The message that the transaction keeps is untouched; repeated, it says the same again.
  assert.match(body(first), /x-pz-endpoint/);
  stage.out(to, first);
  assert.equal(body(stage.wire[2]), said);
  assert.equal(stage.rtp.all.length, 1);
});

Deno.test("edge: an endpoint that never opens is a 503, and its ACK goes no further", () => {
  const stage = new Stage();
  stage.rtp.openRtp = (options) => {
    const endpoint = new SimRtpMedia(new ManualClock(), stage.chance).openRtp(options, () => {});
    return endpoint;
  };
  const to = flow("192.0.2.9");
  const first = read(invite(abstractSdp()));
  stage.out(to, first);
  stage.clock.advance(6_000);
  assert.equal((stage.inner[0] as SipResponse).status, 503);
  stage.out(to, requestText("ACK", { to: "<sip:bob@example.com>;tag=x" }));
  assert.equal(stage.wire.length, 0);
  assert.equal(stage.live, 0);
});

Deno.test("edge: no codec in common is a 488 on the side of the offerer", () => {
  const stage = new Stage();
  const from = flow("192.0.2.9");
  const odd = phoneSdp().replace("0 101", "97 101") + "a=rtpmap:97 X-ODD/8000\r\n";
  const offer = invite(odd);
  stage.in(from, offer);
  stage.settle();
  stage.in(from, offer);
  assert.deepEqual(stage.wire.map((message) => (message as SipResponse).status), [488, 488]);
  assert.deepEqual(stage.wireBytes[0], stage.wireBytes[1]);
  assert.equal(stage.inner.length, 0);
  stage.in(from, requestText("ACK"));
  assert.equal(stage.inner.length, 0);
  assert.equal(stage.live, 0);
});

Deno.test("edge: media that would come back to its own leg, or run in a ring, is a 488", () => {
  const stage = talking();
  const from = flow("192.0.2.9");
  const own = stage.rtp.all[0]!.local[0]!;
  stage.in(from, inDialog("INVITE", 2, true, phoneSdp(`${own.address}:${own.port}`)));
  assert.equal((stage.wire.at(-1) as SipResponse).status, 488);
  const before = stage.inner.length;
  stage.in(from, inDialog("ACK", 2, true));
  assert.equal(stage.inner.length, before);
  // Another leg's port is a place like every other.
  stage.in(flow("192.0.2.8"), invite(phoneSdp(`${own.address}:${own.port}`), { callId: "2" }));
  stage.settle();
  const second = stage.rtp.all[1]!;
  const abstract = sdp.parseSdp(body(stage.inner.at(-1)));
  assert(abstract.ok);
  assert.equal(abstract.value.token, second.token);
  stage.out(flow("192.0.2.8"), answer(stage.inner.at(-1)!, 180));
  // Joined with that very leg, its packets would never end.
  stage.in(from, inDialog("INVITE", 3, true, phoneSdp("192.0.2.9:4004")));
  const reoffer = sdp.parseSdp(body(stage.inner.at(-1)));
  assert(reoffer.ok);
  const joined = sdp.abstractAnswer(reoffer.value, reoffer.value, second.token);
  assert(joined.ok);
  stage.out(from, answer(stage.inner.at(-1)!, 200, joined.value));
  assert.equal(stage.rtp.all[0]!.peer, second.token);
  stage.in(
    flow("192.0.2.8"),
    requestText("UPDATE", {
      callId: "2",
      sequence: 2,
      to: "<sip:bob@example.com>;tag=b",
      branch: "z9hG4bKx",
      body: phoneSdp(`${own.address}:${own.port}`),
      extra: [SDP],
    }),
  );
  assert.equal((stage.wire.at(-1) as SipResponse).status, 488);
});

Deno.test("edge: hold, a moved port and the end of a call", () => {
  const stage = talking();
  const from = flow("192.0.2.9");
  const endpoint = stage.rtp.all[0]!;
  assert.equal(endpoint.peer, TOKEN);
  assert.deepEqual([endpoint.remote[0]?.address, endpoint.remote[0]?.port], ["192.0.2.9", 4000]);
  const reoffer = (sequence: number, text: string, direction: "sendrecv" | "inactive") => {
    stage.in(from, inDialog("INVITE", sequence, true, text));
    const offer = sdp.parseSdp(body(stage.inner.at(-1)));
    assert(offer.ok);
    const last = sdp.abstractAnswer(offer.value, offer.value, TOKEN);
    assert(last.ok);
    stage.out(
      from,
      answer(
        stage.inner.at(-1)!,
        200,
        last.value.replace(/a=(?:sendrecv|sendonly)/, `a=${direction}`),
      ),
    );
    stage.in(from, inDialog("ACK", sequence, true));
    return offer.value.media[0]!.direction;
  };
  assert.equal(reoffer(2, phoneSdp("0.0.0.0:4000"), "inactive"), "sendonly");
  assert.match(body(stage.wire.at(-1)), /^a=inactive\r$/m);
  assert.equal(endpoint.isFlowing, false);
  // Held by "no address": packets would still go where they went.
  assert.equal(endpoint.remote[0]?.address, "192.0.2.9");
  assert.equal(reoffer(3, phoneSdp("192.0.2.9:5000"), "sendrecv"), "sendrecv");
  assert.equal(endpoint.isFlowing, true);
  assert.equal(endpoint.remote[0]?.port, 5000);
  // The version of our description counts up (RFC 3264 8).
  const versions = stage.wire.flatMap((message) =>
    /^o=\S+ \S+ (\d+)/m.exec(body(message))?.[1] ?? []
  );
  assert.deepEqual(versions, ["1", "2", "3"]);
  stage.in(from, inDialog("BYE", 9, true));
  stage.out(from, answer(read(inDialog("BYE", 9, true)), 407));
  assert.equal(stage.states.at(-1), "confirmed");
  stage.in(from, inDialog("BYE", 10, true));
  stage.out(from, answer(read(inDialog("BYE", 10, true)), 200));
  assert.equal(stage.live, 0);
  // A repetition that comes late finds no media and is no surprise.
  stage.in(from, inDialog("INVITE", 3, true, phoneSdp()));
  assert.equal((stage.wire.at(-1) as SipResponse).status, 481);
});

Deno.test("edge: a BYE that is never answered, and a 2xx without ACK, leave nothing", () => {
  const stage = talking();
  stage.out(flow("192.0.2.9"), inDialog("BYE", 1, false));
  assert.equal(stage.rtp.live.size, 1);
  stage.clock.advance(36_000);
  assert.equal(stage.live, 0);
  const silent = new Stage();
  silent.out(flow("192.0.2.9"), invite(abstractSdp()));
  silent.settle();
  silent.clock.advance(41_000);
  assert.equal(silent.live, 0);
  const early = new Stage();
  early.out(flow("192.0.2.9"), invite(abstractSdp()));
  early.settle();
  early.in(flow("192.0.2.9"), answer(early.wire[0]!, 183, phoneSdp()));
  early.in(flow("192.0.2.9"), answer(early.wire[0]!, 200, phoneSdp()));
  assert.equal(early.states.at(-1), "answered");
  early.clock.advance(41_000);
  assert.equal(early.live, 0);
});

Deno.test("edge: of several answers the first 2xx has the endpoint", () => {
  const stage = new Stage();
  const to = flow("192.0.2.9");
  stage.out(to, invite(abstractSdp()));
  stage.settle();
  const endpoint = stage.rtp.all[0]!;
  const port = () => endpoint.remote[0]?.port;
  stage.in(to, answer(stage.wire[0]!, 183, phoneSdp("192.0.2.9:4000"), "one"));
  stage.in(to, answer(stage.wire[0]!, 183, phoneSdp("192.0.2.9:5000"), "two"));
  assert.equal(port(), 5000);
  stage.in(to, answer(stage.wire[0]!, 200, phoneSdp("192.0.2.9:4000"), "one"));
  assert.equal(port(), 4000);
  stage.in(to, answer(stage.wire[0]!, 200, phoneSdp("192.0.2.9:5000"), "two"));
  assert.equal(port(), 4000);
  // Each of them was told inside, for whoever ends the second.
  assert.equal(stage.inner.length, 4);
  assert(stage.inner.every((message) => body(message).includes(endpoint.token)));
});

Deno.test("edge: PRACK carries the answer to an offer in a provisional response", () => {
  const stage = new Stage();
  const to = flow("192.0.2.9");
  stage.out(to, invite(undefined));
  const provisional = answer(stage.wire[0]!, 183, phoneSdp());
  stage.in(to, provisional);
  stage.settle();
  const offer = sdp.parseSdp(body(stage.inner[0]));
  assert(offer.ok);
  const said = sdp.abstractAnswer(offer.value, offer.value, TOKEN);
  assert(said.ok);
  stage.out(to, inDialog("PRACK", 2, true, said.value));
  assert.match(body(stage.wire.at(-1)), /^m=audio 20000 RTP\/AVP 0 101\r$/m);
  assert.equal(stage.rtp.all[0]!.peer, TOKEN);
});

Deno.test("edge: a SIP client in a browser gets ICE and DTLS, both ways round", () => {
  const stage = new Stage();
  const page = flow("192.0.2.9", "WSS");
  stage.out(page, invite(abstractSdp()));
  stage.settle();
  const offer = body(stage.wire[0]);
  assert.match(offer, /^m=audio 30000 UDP\/TLS\/RTP\/SAVPF 111 /m);
  assert.match(offer, /^a=ice-lite\r$/m);
  assert.match(offer, /^a=setup:actpass\r$/m);
  assert(!offer.includes("x-pz"));
  stage.in(page, answer(stage.wire[0]!, 200, browserSdp({ ufrag: "page", setup: "active" })));
  const endpoint = [...stage.webrtc.open_.values()][0]!;
  assert.equal(endpoint.remote?.iceUfrag, "page");
  assert.equal(endpoint.peer, TOKEN);
  const heard = sdp.parseSdp(body(stage.inner[0]));
  assert(heard.ok);
  assert.equal(heard.value.token, endpoint.token);
  assert.deepEqual(heard.value.media[0]!.codecs.map((codec) => codec.payloadType), [
    111,
    9,
    0,
    8,
    126,
  ]);
  const caller = new Stage();
  caller.in(page, invite(browserSdp({ ufrag: "page" })));
  caller.settle();
  assert.match(body(caller.inner[0]), /x-pz-endpoint/);
  assert(!body(caller.inner[0]).includes("page"));
  const abstract = sdp.parseSdp(body(caller.inner[0]));
  assert(abstract.ok);
  const said = sdp.abstractAnswer(abstract.value, abstract.value, TOKEN);
  assert(said.ok);
  caller.out(page, answer(caller.inner[0]!, 200, said.value));
  assert.match(body(caller.wire[0]), /^a=setup:passive\r$/m);
  assert.equal([...caller.webrtc.open_.values()][0]!.peer, TOKEN);
});

Deno.test("edge: effects name the dialog from our side", () => {
  const stage = talking();
  const endpoint = stage.rtp.all[0]!;
  const dialog = { callId: "call-1", localTag: "b", remoteTag: "a" };
  endpoint.emit({ type: "key-frame-wanted" });
  endpoint.emit({ type: "dtmf", digit: "5", durationMs: 100 });
  const info = requestText("INFO", {
    sequence: 5,
    to: "<sip:bob@example.com>;tag=b",
    branch: "z9hG4bKinfo",
    extra: ["Content-Type: application/media_control+xml"],
    body: "<media_control><picture_fast_update/></media_control>",
  });
  stage.in(flow("192.0.2.9"), info);
  assert.equal((stage.wire.at(-1) as SipResponse).status, 200);
  endpoint.emit({ type: "lost", text: "The worker died" });
  assert.deepEqual(stage.effects, [
    { type: "key-frame-wanted", flow: flow("192.0.2.9"), dialog },
    { type: "dtmf", digit: "5", durationMs: 100, dialog },
    { type: "key-frame-request", endpoint: TOKEN },
    { type: "media-lost", dialog, text: "The worker died" },
  ]);
  assert.equal(stage.live, 0);
});

Deno.test("edge: a fault in any state of an anchor ends that anchor and nothing else", () => {
  const calm = talking();
  calm.out(flow("192.0.2.9"), inDialog("BYE", 1, false));
  calm.clock.advance(36_000);
  const states = [...new Set(calm.states)];
  assert.deepEqual(states, [
    "waiting",
    "opening",
    "offered",
    "answered",
    "confirmed",
    "closing",
    "closed",
  ]);
  for (const bad of states) {
    let isArmed = true;
    const stage = new Stage({}, (state) => {
      if (state !== bad || !isArmed) return;
      isArmed = false;
      throw new Error("injected");
    });
    const from = flow("192.0.2.9");
    stage.in(from, invite(phoneSdp()));
    stage.settle();
    if (stage.inner[0]) {
      const offer = sdp.parseSdp(body(stage.inner[0]));
      assert(offer.ok);
      const said = sdp.abstractAnswer(offer.value, offer.value, TOKEN);
      assert(said.ok);
      stage.out(from, answer(stage.inner[0], 200, said.value));
      stage.in(from, inDialog("ACK", 1, true));
      stage.in(from, inDialog("BYE", 2, true));
    }
    stage.clock.advance(60_000);
    assert.equal(isArmed, false, bad);
    assert.equal(stage.live, 0, `${bad}: ${JSON.stringify(stage.edge.counts)}`);
    assert(stage.errors.length > 0, bad);
    // The next call is none the wiser.
    stage.in(from, invite(phoneSdp(), { callId: "next", branch: "z9hG4bKn" }));
    stage.settle();
    assert.equal(stage.inner.at(-1)?.callId, "next");
  }
});
