/** Scenarios for SIPp, put together from messages: two phones with our proxy between them. */

export interface Scenario {
  readonly caller: string;
  readonly callee: string;
}

/** Of the account that calls; it is challenged once. */
export const CALLER = { user: "1011", password: "1234" };

const VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport";
const FROM = `From: <sip:${CALLER.user}@localhost>;tag=[pid]C[call_number]`;
const TO = "To: <sip:[service]@localhost>";
const CONTACT = "Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>";

/** `c` and `m` lines of nobody: these calls are about signalling. */
const sdp = (direction: string, version = 1) =>
  `Content-Type: application/sdp
Content-Length: [len]

v=0
o=sipp 1 ${version} IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=${direction}`;
const TAG = ";tag=[pid]S[call_number]";
const EMPTY = "Content-Length: 0\n";

interface SendOptions {
  /** Repeated until it is answered. */
  readonly isRepeated?: boolean;
}

function send(lines: readonly string[], options: SendOptions = {}): string {
  return `<send${options.isRepeated ? ' retrans="500"' : ""}><![CDATA[\n${
    lines.join("\n")
  }\n]]></send>`;
}

const scenario = (name: string, ...parts: string[]) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="${name}">\n${
    parts.join("\n")
  }\n</scenario>\n`;

/** What the caller says first; `extra` are header lines. */
function invite(extra: readonly string[]): string {
  const first = (sequence: number, more: readonly string[]) =>
    send([
      "INVITE sip:[service]@localhost SIP/2.0",
      VIA,
      "Max-Forwards: 70",
      FROM,
      TO,
      "Call-ID: [call_id]",
      `CSeq: ${sequence} INVITE`,
      CONTACT,
      ...extra,
      ...more,
      sdp("sendrecv"),
    ], { isRepeated: true });
  return [
    first(1, []),
    '<recv response="100" optional="true"/>',
    '<recv response="407" auth="true"/>',
    send([
      "ACK sip:[service]@localhost SIP/2.0",
      // The branch of the INVITE, three steps ago (RFC 3261 17.1.1.3).
      VIA.replace("[branch]", "[branch-3]"),
      "Max-Forwards: 70",
      FROM,
      "[last_To:]",
      "Call-ID: [call_id]",
      "CSeq: 1 ACK",
      EMPTY,
    ]),
    first(2, [`[authentication username=${CALLER.user} password=${CALLER.password}]`]),
    '<recv response="100" optional="true"/>',
  ].join("\n");
}

interface DialogOptions extends SendOptions {
  readonly extra?: readonly string[];
  readonly body?: string;
}

/** A request of the caller in its dialog. */
function inDialog(method: string, sequence: number, options: DialogOptions = {}): string {
  return send([
    `${method} [next_url] SIP/2.0`,
    VIA,
    "[routes]",
    "Max-Forwards: 70",
    FROM,
    "[last_To:]",
    "Call-ID: [call_id]",
    `CSeq: ${sequence} ${method}`,
    ...method === "INVITE" ? [CONTACT] : [],
    ...options.extra ?? [],
    options.body ?? EMPTY,
  ], { isRepeated: method !== "ACK", ...options });
}

/** The callee's response to the request that came last. */
function respond(
  status: string,
  options: DialogOptions & { readonly toTag?: boolean } = {},
): string {
  return send([
    `SIP/2.0 ${status}`,
    "[last_Via:]",
    "[last_Record-Route:]",
    "[last_From:]",
    `[last_To:]${options.toTag ? TAG : ""}`,
    "[last_Call-ID:]",
    "[last_CSeq:]",
    CONTACT,
    ...options.extra ?? [],
    options.body ?? EMPTY,
  ], options);
}

/** A 200 that was repeated has further ACKs, each with a branch of its own from the proxy. */
const MORE_ACKS = '<recv request="ACK" optional="true"/>\n'.repeat(3);
const ENDED = MORE_ACKS + '<recv request="BYE"/>\n' + respond("200 OK") +
  '\n<timewait milliseconds="300"/>';
const ringing = '<recv response="180" optional="true"/>\n<recv response="183" optional="true"/>';

/** Rings, and is answered at once; then comes the ACK. */
const PICKS_UP = [
  '<recv request="INVITE"/>',
  respond("180 Ringing", { toTag: true }),
  respond("200 OK", { toTag: true, body: sdp("sendrecv"), isRepeated: true }),
  '<recv request="ACK"/>',
  MORE_ACKS,
];
/** The caller's side of that. */
const IS_ANSWERED = [ringing, '<recv response="200" rrs="true"/>', inDialog("ACK", 2)];
const HANGS_UP = [inDialog("BYE", 4), '<recv response="200"/>'];

/** Rings, talks, is held by re-INVITE, goes on, ends. */
export const HELD: Scenario = {
  caller: scenario(
    "caller",
    invite([]),
    ...IS_ANSWERED,
    "<pause/>",
    inDialog("INVITE", 3, { body: sdp("sendonly", 2) }),
    '<recv response="100" optional="true"/>',
    '<recv response="200"/>',
    inDialog("ACK", 3),
    "<pause/>",
    ...HANGS_UP,
  ),
  callee: scenario(
    "callee",
    ...PICKS_UP,
    '<recv request="INVITE"/>',
    respond("200 OK", { body: sdp("recvonly", 2), isRepeated: true }),
    '<recv request="ACK"/>',
    ENDED,
  ),
};

/**
 * For roads that lose messages: a call lasts until all that is repeated has come, and the callee
 * has its ACK before the BYE.
 */
const patient = (pauseMs: number, lingerMs: number): Scenario => ({
  caller: scenario(
    "caller",
    invite([]),
    ...IS_ANSWERED,
    `<pause milliseconds="${pauseMs}"/>`,
    ...HANGS_UP,
  ),
  callee: scenario(
    "callee",
    ...PICKS_UP,
    '<recv request="BYE"/>',
    respond("200 OK"),
    // A BYE whose 200 was lost is answered again.
    `<timewait milliseconds="${lingerMs}"/>`,
  ),
});

/** On roads that lose a message once. */
export const PATIENT = patient(5_000, 500);

const STUBBORN = patient(9_000, 9_000);
/** The same, where the last of all ACKs may be lost too: the BYE ends the call all the same. */
export const HARDY: Scenario = {
  caller: STUBBORN.caller,
  callee: STUBBORN.callee.replace('<recv request="ACK"/>\n', ""),
};

/** Keeps what a response to the INVITE needs, for when other requests have come since. */
const KEEP_INVITE = `<recv request="INVITE"><action>
<ereg regexp=".*" search_in="hdr" header="Via:" occurence="1" assign_to="via1"/>
<ereg regexp=".*" search_in="hdr" header="Via:" occurence="2" assign_to="via2"/>
<ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="cseq"/>
<ereg regexp=".*" search_in="hdr" header="Record-Route:" assign_to="route"/>
</action></recv>`;

/** A final response to the INVITE that was kept. */
const lateAnswer = (status: string, body: string) =>
  send([
    `SIP/2.0 ${status}`,
    "Via:[$via1]",
    "Via:[$via2]",
    "Record-Route:[$route]",
    "[last_From:]",
    "[last_To:]",
    "[last_Call-ID:]",
    "CSeq:[$cseq]",
    CONTACT,
    body,
  ], { isRepeated: true });

/** A provisional response with the answer, which must be acknowledged (RFC 3262). */
export const PRACK: Scenario = {
  caller: scenario(
    "caller",
    invite(["Supported: 100rel"]),
    '<recv response="183" rrs="true"/>',
    inDialog("PRACK", 3, { extra: ["RAck: 77 2 INVITE"] }),
    '<recv response="200"/>',
    '<recv response="200"/>',
    inDialog("ACK", 2),
    "<pause/>",
    ...HANGS_UP,
  ),
  callee: scenario(
    "callee",
    KEEP_INVITE,
    respond("183 Session Progress", {
      toTag: true,
      extra: ["Require: 100rel", "RSeq: 77"],
      body: sdp("sendrecv"),
      isRepeated: true,
    }),
    '<recv request="PRACK"/>',
    respond("200 OK"),
    lateAnswer("200 OK", EMPTY),
    '<recv request="ACK"/>',
    ENDED,
  ),
};

const CANCEL = send([
  "CANCEL sip:[service]@localhost SIP/2.0",
  // The branch of the INVITE with the credentials, three steps ago.
  VIA.replace("[branch]", "[branch-3]"),
  "Max-Forwards: 70",
  FROM,
  TO,
  "Call-ID: [call_id]",
  "CSeq: 2 CANCEL",
  EMPTY,
], { isRepeated: true });

/** The caller takes the call back while it rings. */
export const CANCELLED: Scenario = {
  caller: scenario(
    "caller",
    invite([]),
    '<recv response="180"/>',
    CANCEL,
    '<recv response="200"/>',
    '<recv response="487"/>',
    send([
      "ACK sip:[service]@localhost SIP/2.0",
      VIA.replace("[branch]", "[branch-6]"),
      "Max-Forwards: 70",
      FROM,
      "[last_To:]",
      "Call-ID: [call_id]",
      "CSeq: 2 ACK",
      EMPTY,
    ]),
    // Else it lingers for 32 s.
    '<timewait milliseconds="300"/>',
  ),
  callee: scenario(
    "callee",
    KEEP_INVITE,
    respond("180 Ringing", { toTag: true }),
    '<recv request="CANCEL"/>',
    respond("200 OK", { toTag: true }),
    lateAnswer("487 Request Terminated", EMPTY).replace("[last_To:]", "[last_To:]" + TAG),
    '<recv request="ACK"/>',
  ),
};

/** The callee picks up at the moment at which the CANCEL reaches it: the call stands. */
export const CANCEL_RACE: Scenario = {
  caller: scenario(
    "caller",
    invite([]),
    '<recv response="180"/>',
    CANCEL,
    '<recv response="200"/>',
    '<recv response="200" rrs="true"/>',
    inDialog("ACK", 2),
    "<pause/>",
    ...HANGS_UP,
  ),
  callee: scenario(
    "callee",
    KEEP_INVITE,
    respond("180 Ringing", { toTag: true }),
    '<recv request="CANCEL"/>',
    respond("200 OK", { toTag: true }),
    lateAnswer("200 OK", sdp("sendrecv")).replace("[last_To:]", "[last_To:]" + TAG),
    '<recv request="ACK"/>',
    ENDED,
  ),
};
