import assert from "node:assert/strict";
import * as sdp from "../../../src/sdp/mod.ts";
import type { SipResponse } from "../../../src/sip/message/mod.ts";
import { browserSdp } from "../../support/browser_sdp.ts";
import {
  abstractSdp,
  answer,
  body,
  flow,
  inDialog,
  invite,
  phoneSdp,
  read,
  SDP,
  Stage,
  talking,
  TOKEN,
} from "../../support/edge_stage.ts";
import { requestText } from "../../support/sip_fixtures.ts";

/** Descriptions at the edge: what an offer becomes, and which answer counts. */

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
