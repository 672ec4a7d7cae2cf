import { invite, options, raw, register, request, response, SDP } from "./build.ts";

/** RFC 4475 3.2 to 3.4: in order by the grammar, and to be refused above it. */

export const APPLICATION: Readonly<Record<string, () => Uint8Array>> = {
  badbranch: () => options({ "Via": "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK" }),
  insuf: () => invite({ "Call-ID": null, "From": null, "To": null }),
  unkscm: () => options({}, "OPTIONS nobodyknows:totallyopaquecontent SIP/2.0"),
  novelsc: () => options({}, "OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0"),
  unksm2: () =>
    register({
      "To": "isbn:2983792873",
      "From": "<http://www.example.org>;tag=3234233",
      "Contact": "<name:John_Smith>",
    }),
  bext01: () =>
    options({
      "Require": "nothingSupportsThis, nothingSupportsThisEither",
      "Proxy-Require": "noProxiesSupportThis, norDoAnyProxiesSupportThis",
    }),
  invut: () => invite({ "Content-Type": "application/unknownformat" }),
  regaut01: () => register({ "Authorization": "NoOneKnowsThis opaque-data=here" }),
  multi01: () => {
    const lines = [
      "INVITE sip:ben@example.org SIP/2.0",
      "Via: SIP/2.0/UDP 192.0.2.25;branch=z9hG4bKmulti",
    ];
    for (const n of [1, 2]) {
      lines.push(
        `CSeq: ${n} INVITE`,
        `Call-ID: multi-${n}@example.org`,
        `Max-Forwards: 7${n}`,
        `From: <sip:caller${n}@example.org>;tag=${n}`,
        `To: <sip:user${n}@example.org>`,
      );
    }
    return raw([...lines, "Contact: <sip:ann@example.org>", `Content-Length: ${SDP.length}`], SDP);
  },
  mcl01: () => {
    const lines = new TextDecoder().decode(options({ "Content-Length": "13" })).split("\r\n");
    return raw([...lines.slice(0, -2), "Content-Length: 5"], "There's no way to know how long");
  },
  bcast: () =>
    response("SIP/2.0 200 OK", {
      "Via": "SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923, " +
        "SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23",
    }),
  zeromf: () => options({ "Max-Forwards": "0" }),
  cparam01: () => register({ "Contact": "sip:+19725552222@gw1.example.org;unknownparam" }),
  cparam02: () => register({ "Contact": "<sip:+19725552222@gw1.example.org;unknownparam>" }),
  regescrt: () => register({ "Contact": "<sip:user@example.org?Route=%3Csip:sip.example.org%3E>" }),
  sdp01: () => invite({ "Accept": "text/nobodyknowsthis" }),
  inv2543: () =>
    request("INVITE sip:ben@example.org SIP/2.0", {
      "Via": "SIP/2.0/UDP iftgw.example.org",
      "Max-Forwards": null,
      "Content-Length": null,
      "From": "<sip:+13035551111@ift.client.example.org;user=phone>",
      "Record-Route": "<sip:ben@example.org;maddr=ss1.example.org>",
      "Content-Type": "application/sdp",
    }, SDP),
};
