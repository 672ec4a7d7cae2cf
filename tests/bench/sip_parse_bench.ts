/** What reading and writing SIP costs: `deno bench -A tests/bench/sip_parse_bench.ts`. */
import {
  encodeText,
  parseMessage,
  serialize,
  type SipMessage,
  type SipRequest,
  StreamFramer,
  validate,
} from "../../src/sip/message/mod.ts";

const sdp = [
  "v=0",
  "o=- 4611731400430051336 2 IN IP4 192.0.2.1",
  "s=-",
  "t=0 0",
  "m=audio 49170 RTP/AVP 0 8 9 101",
  "c=IN IP4 192.0.2.1",
  "a=rtpmap:0 PCMU/8000",
  "a=rtpmap:8 PCMA/8000",
  "a=rtpmap:9 G722/8000",
  "a=rtpmap:101 telephone-event/8000",
  "a=fmtp:101 0-16",
  "a=sendrecv",
  "",
].join("\r\n");

const invite = encodeText([
  "INVITE sip:bob@biloxi.example;transport=tcp SIP/2.0",
  "Via: SIP/2.0/TCP pc33.atlanta.example:5060;branch=z9hG4bK776asdhds;rport",
  "Via: SIP/2.0/TCP server10.biloxi.example;branch=z9hG4bK4b43c2ff8.1;received=192.0.2.3",
  "Max-Forwards: 70",
  "Route: <sip:proxy.biloxi.example;lr>",
  'From: "Alice" <sip:alice@atlanta.example>;tag=1928301774',
  'To: "Bob" <sip:bob@biloxi.example>',
  "Call-ID: a84b4c76e66710@pc33.atlanta.example",
  "CSeq: 314159 INVITE",
  'Contact: <sip:alice@pc33.atlanta.example:5060;transport=tcp>;+sip.instance="<urn:uuid:1>"',
  "Allow: INVITE, ACK, CANCEL, BYE, UPDATE, PRACK, OPTIONS, NOTIFY, REFER",
  "Supported: replaces, timer, 100rel, outbound",
  "User-Agent: Example Phone 1.0",
  "Content-Type: application/sdp",
  `Content-Length: ${sdp.length}`,
  "",
  sdp,
].join("\r\n"));

const trying = encodeText([
  "SIP/2.0 180 Ringing",
  "Via: SIP/2.0/TCP pc33.atlanta.example:5060;branch=z9hG4bK776asdhds;rport=5060",
  'From: "Alice" <sip:alice@atlanta.example>;tag=1928301774',
  'To: "Bob" <sip:bob@biloxi.example>;tag=a6c85cf',
  "Call-ID: a84b4c76e66710@pc33.atlanta.example",
  "CSeq: 314159 INVITE",
  "Contact: <sip:bob@192.0.2.4>",
  "Content-Length: 0",
  "",
  "",
].join("\r\n"));

function read(bytes: Uint8Array): SipMessage {
  const result = parseMessage(bytes);
  if (!result.ok) throw new Error(result.error.text);
  return result.value;
}

function check(message: SipMessage): SipMessage {
  const result = validate(message);
  if (!result.ok) throw new Error(result.error.text);
  return message;
}

const parsedInvite = check(read(invite));

Deno.bench("INVITE with SDP: parse", { group: "invite", baseline: true }, () => {
  read(invite);
});

Deno.bench("INVITE with SDP: parse, validate (all typed headers)", { group: "invite" }, () => {
  check(read(invite));
});

Deno.bench("INVITE with SDP: serialize", { group: "invite" }, () => {
  serialize(parsedInvite);
});

Deno.bench("INVITE with SDP: a proxy's work, bytes to bytes", { group: "invite" }, () => {
  const request = check(read(invite)).clone() as SipRequest;
  request.headers.removeFirstValue("route");
  request.headers.set("Max-Forwards", String((request.maxForwards ?? 70) - 1));
  request.headers.prepend("Via", "SIP/2.0/TCP proxy.example;branch=z9hG4bK77ef4c2312983.1");
  serialize(request);
});

Deno.bench("180: parse, validate, pop Via, serialize", { group: "response" }, () => {
  const response = check(read(trying));
  response.headers.removeFirstValue("via");
  serialize(response);
});

Deno.bench("stream: three messages in segments of 1,000 bytes", { group: "stream" }, () => {
  const framer = new StreamFramer();
  for (const bytes of [invite, trying, invite]) {
    for (let at = 0; at < bytes.length; at += 1000) framer.push(bytes.subarray(at, at + 1000));
  }
});
