/**
 * What reading and writing a SIP message costs beside other parsers on npm, on the same messages:
 * `deno run -A tests/bench/sip_message_bench.ts`. The packages are pinned here, because nothing
 * else uses them. Rounds are interleaved, so that a busy machine is unfair to all alike.
 *
 * The others take text and we take bytes, as they come from a socket: decoding is in our figures.
 * JsSIP and SIP.js can write a received message only by repeating its text, so writing is compared
 * with `sip` alone.
 */
import JsSipParser from "npm:jssip@3.13.8/lib/Parser.js";
import sip from "npm:sip@0.0.6";
import { Parser as SipJsParser } from "npm:sip.js@0.21.2/lib/core/messages/parser.js";
import { parseMessage, serialize, type SipMessage, validate } from "../../src/sip/message/mod.ts";

const SDP = [
  "v=0",
  "o=- 4611731400430051336 2 IN IP4 192.0.2.1",
  "s=-",
  "t=0 0",
  "m=audio 49170 RTP/AVP 0 8 9 101",
  "c=IN IP4 192.0.2.1",
  "a=rtpmap:0 PCMU/8000",
  "a=rtpmap:101 telephone-event/8000",
  "a=fmtp:101 0-16",
  "a=sendrecv",
  "",
].join("\r\n");

function text(lines: readonly string[], body = ""): string {
  return [...lines, `Content-Length: ${body.length}`, "", body].join("\r\n");
}

const VIAS = [
  "Via: SIP/2.0/UDP server10.example.org:5060;branch=z9hG4bK4b43c2ff8.1;rport",
  "Via: SIP/2.0/UDP pc33.example.net:5060;branch=z9hG4bK776asdhds;received=192.0.2.1;rport=5060",
];

const MESSAGES: Readonly<Record<string, string>> = {
  "INVITE with SDP": text([
    "INVITE sip:bob@example.org;transport=udp SIP/2.0",
    ...VIAS,
    "Max-Forwards: 69",
    "Record-Route: <sip:server10.example.org;lr>",
    'From: "Alice" <sip:alice@example.net>;tag=1928301774',
    "To: <sip:bob@example.org>",
    "Call-ID: a84b4c76e66710@pc33.example.net",
    "CSeq: 314159 INVITE",
    "Contact: <sip:alice@pc33.example.net:5060>",
    "Allow: INVITE, ACK, CANCEL, BYE, UPDATE, PRACK, OPTIONS, NOTIFY, REFER",
    "Supported: replaces, timer, 100rel, outbound",
    "User-Agent: Example Phone 1.0",
    "Content-Type: application/sdp",
  ], SDP),
  "REGISTER": text([
    "REGISTER sip:example.org SIP/2.0",
    VIAS[1]!,
    "Max-Forwards: 70",
    "From: <sip:bob@example.org>;tag=456248",
    "To: <sip:bob@example.org>",
    "Call-ID: 843817637684230@998sdasdh09",
    "CSeq: 1826 REGISTER",
    "Contact: <sip:bob@192.0.2.4:5060>;expires=3600",
    'Authorization: Digest username="bob", realm="example.org", nonce="84a4cc6f3082121f32b42a21' +
    '87831a9e", uri="sip:example.org", response="7587245234b3434cc3412213e5f113a5", algorithm=MD5',
    "Expires: 3600",
  ]),
  "180": text([
    "SIP/2.0 180 Ringing",
    ...VIAS,
    'From: "Alice" <sip:alice@example.net>;tag=1928301774',
    "To: <sip:bob@example.org>;tag=a6c85cf",
    "Call-ID: a84b4c76e66710@pc33.example.net",
    "CSeq: 314159 INVITE",
    "Contact: <sip:bob@192.0.2.4>",
  ]),
};

const ROUNDS = 9;
const ROUND_MS = 120;
const encoder = new TextEncoder();
const quiet = { warn() {}, error() {}, log() {}, debug() {} };
const decoder = new TextDecoder();

function ours(bytes: Uint8Array): SipMessage {
  const parsed = parseMessage(bytes);
  if (!parsed.ok || !validate(parsed.value).ok) throw new Error("our parser refuses a message");
  return parsed.value;
}

interface Contender {
  readonly name: string;
  readonly run: () => unknown;
}

function readers(message: string): Contender[] {
  const bytes = encoder.encode(message);
  return [
    { name: "Port Zero, all checked", run: () => ours(bytes) },
    { name: "JsSIP 3.13.8", run: () => JsSipParser.parseMessage(message, {}) },
    {
      name: "SIP.js 0.21.2",
      run: () => SipJsParser.parseMessage(message, quiet as never),
    },
    { name: "sip 0.0.6", run: () => sip.parse(message) },
  ];
}

function roundTrips(message: string): Contender[] {
  const bytes = encoder.encode(message);
  return [
    { name: "Port Zero, bytes to bytes", run: () => serialize(ours(bytes)) },
    {
      name: "sip 0.0.6, bytes to bytes",
      run: () => encoder.encode(sip.stringify(sip.parse(decoder.decode(bytes)))),
    },
  ];
}

/** Runs for a while; microseconds a message. */
function measure(run: () => unknown): number {
  const start = performance.now();
  let count = 0;
  let now = start;
  while (now - start < ROUND_MS) {
    for (let i = 0; i < 200; i++) run();
    count += 200;
    now = performance.now();
  }
  return (now - start) * 1000 / count;
}

function compare(title: string, contenders: readonly Contender[]): void {
  for (const { name, run } of contenders) {
    if (run() === undefined) throw new Error(`${name} does not read ${title}`);
    measure(run);
  }
  const times = contenders.map(() => [] as number[]);
  for (let round = 0; round < ROUNDS; round++) {
    contenders.forEach(({ run }, i) => times[i]!.push(measure(run)));
  }
  const medians = times.map((of) => of.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)]!);
  console.log(`\n${title}`);
  contenders.forEach(({ name }, i) => {
    const ratio = (medians[i]! / medians[0]!).toFixed(1);
    console.log(`  ${name.padEnd(28)} ${medians[i]!.toFixed(2).padStart(8)} us  x ${ratio}`);
  });
}

for (const [name, message] of Object.entries(MESSAGES)) {
  compare(`${name} (${message.length} bytes): parse`, readers(message));
  compare(`${name}: parse and write`, roundTrips(message));
}
