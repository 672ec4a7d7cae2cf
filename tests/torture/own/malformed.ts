import { invite, options, raw, register, request, response, SDP } from "./build.ts";

/** RFC 4475 3.1.2: against the grammar. */

const END = "\r\n\r\n";

function withoutEnd(): Uint8Array {
  const bytes = options({ "From": "Bell, Ann <sip:ann@example.org>;tag=43" });
  return bytes.slice(0, bytes.length - END.length + 2);
}

export const MALFORMED: Readonly<Record<string, () => Uint8Array>> = {
  badinv01: () =>
    invite({
      "Via": "SIP/2.0/UDP 192.0.2.15;;,;,,",
      "Contact": '"Joe" <sip:joe@example.org>;;;;',
    }),
  clerr: () => invite({ "Content-Length": "9999" }),
  ncl: () => invite({ "Content-Length": "-999" }),
  scalar02: () =>
    register({
      "CSeq": "36893488147419103232 REGISTER",
      "Max-Forwards": "300",
      "Expires": "1".padEnd(100, "0"),
      "Contact": "<sip:ann@host129.example.org>;expires=280297596632815",
    }),
  scalarlg: () =>
    response("SIP/2.0 503 Service Unavailable", {
      "CSeq": "9292394834772304023312 OPTIONS",
      "Retry-After": "949302838503028349304023988",
      "Warning": '1812 overture "In Progress"',
    }),
  quotbal: () => invite({ "To": '"Mr. J. User <sip:j.user@example.org>' }),
  ltgtruri: () => invite({}, "INVITE <sip:ben@example.org> SIP/2.0"),
  lwsruri: () => invite({}, "INVITE sip:ben@example.org; lr SIP/2.0"),
  lwsstart: () => invite({}, "INVITE  sip:ben@example.org  SIP/2.0"),
  trws: () => options({}, "OPTIONS sip:ben@example.org SIP/2.0  "),
  escruri: () => invite({}, "INVITE sip:ben@example.org?Route=%3Csip:evil.example%3E SIP/2.0"),
  baddate: () => invite({ "Date": "Fri, 01 Jan 2010 16:00:00 EST" }),
  regbadct: () => register({ "Contact": "sip:ann@example.org?Route=%3Csip:sip.example.org%3E" }),
  badaspec: () => options({ "To": '"Watson, Thomas" < sip:t.watson@example.org >' }),
  baddn: withoutEnd,
  badvers: () => options({}, "OPTIONS sip:ben@example.org SIP/7.0"),
  mismatch01: () => options({ "CSeq": "8 INVITE" }),
  mismatch02: () =>
    request("NEWMETHOD sip:ben@example.org SIP/2.0", {
      "CSeq": "8 INVITE",
      "Content-Type": "application/sdp",
    }, SDP),
  bigcode: () => response("SIP/2.0 4294967301 better not break the receiver"),
  test: () =>
    raw([
      "INVITE sip:ben@example.org",
      "no colon at all",
      "From: <sip:ann@example.org>;tag=1",
      "To: <sip:ben@example.org>",
      "Call-ID: test",
      "CSeq: 1 INVITE",
    ]),
};
