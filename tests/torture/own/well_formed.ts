import { invite, options, raw, register, request, response, SDP } from "./build.ts";

/** RFC 4475 3.1.1: odd, and all in order. */

const METHOD = "!interesting-Method0123456789_*+`.%indeed'~";

function folded(): Uint8Array {
  return raw([
    "INVITE sip:ben@chair.example.org;unknown SIP/2.0",
    "TO :",
    " sip:ben@chair.example.org ;   tag    = 1918h",
    'from   : "A \\\\\\""       <sip:ann@example.org>',
    "  ;",
    "  tag = 8s",
    "mAX-fORWARDS: 0068",
    "Call-ID: folds.1@192.0.2.1",
    `Content-Length   : ${SDP.length}`,
    "cseq: 0009",
    "  INVITE",
    "Via  : SIP  /   2.0",
    " /UDP",
    "    192.0.2.2;branch=of-old",
    "s :",
    "New-Header:   new",
    " and more",
    "Odd-Header: ;;,,;;,;",
    "Content-Type: application/sdp",
    "Route:",
    " <sip:services.example.org;lr;unknown=v;flag>",
    "v:  SIP  / 2.0  / TCP     far.example.org   ;",
    "  branch  =   z9hG4bKa  ,",
    " SIP  /    2.0   / UDP  192.168.1.1   ; branch=",
    " z9hG4bKb",
    'm:"In quotes \\"\\"" <sip:ann@example.org> ; param =',
    "      value ;",
    "  flag ; q = 0.33",
  ], SDP);
}

function methodOfMarks(): Uint8Array {
  const user = "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*";
  return request(
    `${METHOD} sip:${user}:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.org SIP/2.0`,
    {
      "To": '"BEL:\\\u0007 NUL:\\\u0000 DEL:\\\u007f" <sip:1_unusual.URI~@example.org>',
      "From": "token1~` token2'+_ token3*%!.- <sip:mundane@example.org>;fromParam''~+*_!.-%=" +
        '"\u0440\u0430\u0431\u043e\u0442\u0430";tag=_token~1\'+`*%!-.',
      "Extension-Header": "extension",
    },
  );
}

function twoInOne(): Uint8Array {
  const first = register();
  const second = invite({ "Call-ID": "smuggled@example.org" });
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function binaryParts(): Uint8Array {
  const text = new TextEncoder().encode(
    "--edge\r\nContent-Type: text/plain\r\n\r\nHello\r\n--edge\r\n" +
      "Content-Type: application/octet-stream\r\n\r\n",
  );
  const octets = Uint8Array.from({ length: 256 }, (_, i) => i);
  const body = new Uint8Array([...text, ...octets, 0x0d, 0x0a, ...octets.toReversed()]);
  return request("MESSAGE sip:ben@example.org SIP/2.0", {
    "Content-Type": "multipart/mixed;boundary=edge",
  }, body);
}

const long = (text: string, times: number) => text.repeat(times);

export const WELL_FORMED: Readonly<Record<string, () => Uint8Array>> = {
  wsinv: folded,
  intmeth: methodOfMarks,
  esc01: () =>
    invite({
      "To": "sip:%75se%72@example.org",
      "From": "<sip:I%20have%20spaces@example.org>;tag=9",
      "Contact": "<sip:ann@host5.example.org;%6C%72;n%61me=v%61lue%25%34%31>",
    }, "INVITE sip:sips%3Aben%40example.com@example.org SIP/2.0"),
  escnull: () =>
    register({
      "To": "sip:null-%00-null@example.org",
      "From": "sip:null-%00-null@example.org;tag=8",
      "Contact": "<sip:%00@host5.example.org>, <sip:%00%00@host5.example.org>",
    }),
  esc02: () =>
    request("RE%47IST%45R sip:registrar.example.org SIP/2.0", {
      "To": '"%Z%45" <sip:resource@example.org>',
      "From": '"%Z%45" <sip:resource@example.org>;tag=f232jadfj23',
      "Contact": '"%Z%45" <sip:alias1@host1.example.org>, ' +
        "<sip:alias2@host2.example.org>;ea=%65",
    }),
  lwsdisp: () => options({ "From": "caller<sip:caller@example.org>;tag=323" }),
  longreq: () =>
    invite({
      "To": `"I have a user name of ${long("extremely ", 60)}long" <sip:ben:6000@example.org;` +
        `unknown=${long("very", 80)}long;${long("longparameter", 15)}>`,
      "From": `sip:${long("ann", 150)}@example.org;tag=${long("12982982982", 30)}`,
      "Call-ID": `${long("0123456789", 40)}.really.long`,
      [`${long("Unknown-", 40)}Header`]: `unknown-${long("value-", 80)}x`,
      "Via": Array.from({ length: 30 }, (_, i) =>
        `SIP/2.0/TCP sip${i}.example.org;branch=z9hG4bK${long("a", 60)}${i}`).join(", "),
      "Contact": `<sip:${long("amazing", 40)}@host5.example.net>`,
    }),
  dblreq: twoInOne,
  semiuri: () => options({}, "OPTIONS sip:ben;par=u%40example.net@example.org SIP/2.0"),
  transports: () =>
    options({
      "Via": [
        "SIP/2.0/UDP t1.example.org;branch=z9hG4bKudp",
        "SIP/2.0/SCTP t2.example.org;branch=z9hG4bKsctp",
        "SIP/2.0/TLS t3.example.org;branch=z9hG4bKtls",
        "SIP/2.0/UNKNOWN t4.example.org;branch=z9hG4bKunknown",
        "SIP/2.0/TCP t5.example.org;branch=z9hG4bKtcp",
      ].join(", "),
    }),
  mpart01: binaryParts,
  unreason: () =>
    response("SIP/2.0 200 = 2**3 * 5**2 \u043d\u043e \u0441\u0442\u043e - \u044d\u0442\u043e"),
  noreason: () => response("SIP/2.0 100 "),
};
