/**
 * What reading and writing a SIP message costs beside other parsers on npm, on the same messages.
 * The packages are pinned here, because nothing else uses them. Rounds are interleaved, so that a
 * busy machine is unfair to all alike.
 *
 * All begin with the bytes of a datagram. *Read* makes a message of them, as deep as each parser
 * goes by itself: `sip`, JsSIP and SIP.js take the headers that they know apart, ours does so when
 * asked. So what counts more is *use*: the message is read, and then all is looked at that a proxy
 * decides by: start line and its URI, topmost Via, tags and URIs of From and To, Call-ID, CSeq,
 * Max-Forwards, Contact with its URI. Ours is checked as well there (`validate`), which none of the
 * others does. JsSIP and SIP.js can write a received message only by repeating its text, so writing
 * is compared with `sip` alone.
 */
import JsSipParser from "npm:jssip@3.13.8/lib/Parser.js";
import sip from "npm:sip@0.0.6";
import { Parser as SipJsParser } from "npm:sip.js@0.21.2/lib/core/messages/parser.js";
import {
  parseMessage,
  serialize,
  type SipMessage,
  validate,
} from "../../../src/sip/message/mod.ts";
import { printVerdicts, type Verdict } from "./verdicts.ts";

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

function read(bytes: Uint8Array): SipMessage {
  const parsed = parseMessage(bytes);
  if (!parsed.ok) throw new Error("our parser refuses a message");
  return parsed.value;
}

function checked(bytes: Uint8Array): SipMessage {
  const message = read(bytes);
  if (!validate(message).ok) throw new Error("our parser refuses a message");
  return message;
}

/** All that was found: to be the same number of parts from everybody. */
type Parts = readonly unknown[];

function useOurs(bytes: Uint8Array): Parts {
  const message = checked(bytes);
  const { from, to, topVia, cseq, contacts } = message;
  const uri = message.kind === "request" ? message.requestUri : undefined;
  const contact = contacts === "*" ? undefined : contacts[0];
  return [
    uri?.ok ? uri.value.host : message.kind,
    topVia.branch,
    topVia.host,
    from.tag,
    from.uri.user,
    to.uri.user,
    to.tag ?? "",
    message.callId,
    cseq.sequence,
    cseq.method,
    message.maxForwards ?? -1,
    contact?.uri.host,
  ];
}

function useSip(bytes: Uint8Array): Parts {
  const message = sip.parse(decoder.decode(bytes));
  const { via, from, to, cseq, contact } = message.headers;
  return [
    message.method ? sip.parseUri(message.uri).host : "response",
    via[0].params.branch,
    via[0].host,
    from.params.tag,
    sip.parseUri(from.uri).user,
    sip.parseUri(to.uri).user,
    to.params.tag ?? "",
    message.headers["call-id"],
    cseq.seq,
    cseq.method,
    Number(message.headers["max-forwards"] ?? -1),
    sip.parseUri(contact[0].uri).host,
  ];
}

/** What JsSIP and SIP.js have in common. */
interface Incoming {
  readonly ruri?: { readonly host: string } | undefined;
  readonly via: { readonly branch: string; readonly host: string };
  readonly from: { readonly uri: { readonly user: string } };
  readonly to: { readonly uri: { readonly user: string } };
  readonly cseq: number;
  readonly method: string;
  getHeader(name: string): string | undefined;
  parseHeader(name: string): { readonly uri: { readonly host: string } } | undefined;
}

/** @param named what the two have other names for: branch, tags of From and To, Call-ID */
function partsOf(
  message: Incoming,
  [branch, fromTag, toTag = "", callId]: readonly [string, string, string | undefined, string],
): Parts {
  return [
    message.ruri?.host ?? "response",
    branch,
    message.via.host,
    fromTag,
    message.from.uri.user,
    message.to.uri.user,
    toTag,
    callId,
    message.cseq,
    message.method,
    Number(message.getHeader("max-forwards") ?? -1),
    message.parseHeader("contact")?.uri.host,
  ];
}

function useJsSip(bytes: Uint8Array): Parts {
  const message = JsSipParser.parseMessage(decoder.decode(bytes), {}) as Incoming & {
    readonly via_branch: string;
    readonly from_tag: string;
    readonly to_tag: string | undefined;
    readonly call_id: string;
  };
  const { via_branch, from_tag, to_tag, call_id } = message;
  return partsOf(message, [via_branch, from_tag, to_tag, call_id]);
}

function useSipJs(bytes: Uint8Array): Parts {
  const message = SipJsParser.parseMessage(decoder.decode(bytes), quiet as never) as unknown as
    & Incoming
    & {
      readonly viaBranch: string;
      readonly fromTag: string;
      readonly toTag: string | undefined;
      readonly callId: string;
    };
  const { viaBranch, fromTag, toTag, callId } = message;
  return partsOf(message, [viaBranch, fromTag, toTag, callId]);
}

interface Contender {
  readonly name: string;
  readonly run: () => unknown;
}

const OTHERS = ["sip 0.0.6", "JsSIP 3.13.8", "SIP.js 0.21.2"] as const;

function readers(bytes: Uint8Array): Contender[] {
  const [a, b, c] = OTHERS;
  return [
    { name: "Port Zero", run: () => read(bytes) },
    { name: a, run: () => sip.parse(decoder.decode(bytes)) },
    { name: b, run: () => JsSipParser.parseMessage(decoder.decode(bytes), {}) },
    { name: c, run: () => SipJsParser.parseMessage(decoder.decode(bytes), quiet as never) },
  ];
}

function users(bytes: Uint8Array): Contender[] {
  const [a, b, c] = OTHERS;
  return [
    { name: "Port Zero", run: () => useOurs(bytes) },
    { name: a, run: () => useSip(bytes) },
    { name: b, run: () => useJsSip(bytes) },
    { name: c, run: () => useSipJs(bytes) },
  ];
}

function writers(bytes: Uint8Array): Contender[] {
  return [
    { name: "Port Zero", run: () => serialize(checked(bytes)) },
    {
      name: OTHERS[0],
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

/** Prints medians and gives back by how many times ours is slower than the fastest of the others. */
async function compare(title: string, contenders: readonly Contender[]): Promise<number> {
  for (const { name, run } of contenders) {
    if (run() === undefined) throw new Error(`${name} does not read ${title}`);
    measure(run);
  }
  const times = contenders.map(() => [] as number[]);
  for (let round = 0; round < ROUNDS; round++) {
    contenders.forEach(({ run }, i) => times[i]!.push(measure(run)));
    // Whoever wants to end the bench is heard.
    await new Promise((resolve) => setTimeout(resolve));
  }
  const medians = times.map((of) => of.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)]!);
  const [ours, ...others] = medians;
  console.log(`\n${title}`);
  contenders.forEach(({ name }, i) => {
    const ratio = (medians[i]! / ours!).toFixed(1);
    console.log(`  ${name.padEnd(16)} ${medians[i]!.toFixed(2).padStart(8)} us  x ${ratio}`);
  });
  return ours! / Math.min(...others);
}

/** The parts that each finds are the same, or the comparison means nothing. */
function checkParts(name: string, bytes: Uint8Array): void {
  const [ours, ...others] = users(bytes).map(({ run }) => (run() as Parts).map(String));
  for (const [i, parts] of others.entries()) {
    const differ = parts.flatMap((part, at) => part === ours![at] ? [] : [`${part}/${ours![at]}`]);
    if (differ.length > 0) {
      throw new Error(`${OTHERS[i]} reads ${name} otherwise: ${differ.join()}`);
    }
  }
}

export async function parser(): Promise<void> {
  const verdicts: Verdict[] = [];
  const judge = (what: string, value: number) => {
    verdicts.push({
      what: `${what}: by the fastest other`,
      value,
      unit: "times",
      digits: 2,
      aim: 1,
    });
  };
  for (const [name, message] of Object.entries(MESSAGES)) {
    const bytes = encoder.encode(message);
    checkParts(name, bytes);
    const title = `${name} (${bytes.length} bytes)`;
    judge(`${name}, read`, await compare(`${title}: read`, readers(bytes)));
    judge(`${name}, use`, await compare(`${title}: use`, users(bytes)));
    judge(`${name}, write`, await compare(`${title}: read, check and write`, writers(bytes)));
  }
  printVerdicts("Reading and writing messages", verdicts);
}
