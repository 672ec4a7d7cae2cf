import assert from "node:assert/strict";
import type { LadderMessage, LadderView } from "../../src/actors/control_plane.ts";
import { ladderPcap } from "../../src/rest/ladder_pcap.ts";
import { needs } from "../support/needs.ts";
import { SimWorld } from "../sim/world.ts";

/** What another program reads in captures of ours. */

const tshark = needs("tshark");

async function read(pcap: Uint8Array, fields: readonly string[], ...more: string[]) {
  const path = await Deno.makeTempFile({ suffix: ".pcap" });
  try {
    await Deno.writeFile(path, pcap);
    const { stdout, stderr, success } = await new Deno.Command(tshark.path, {
      args: [
        ...["-r", path, "-T", "fields", "-E", "separator=|"],
        ...["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"],
        ...["-o", "tcp.check_checksum:TRUE"],
        ...fields.flatMap((field) => ["-e", field]),
        ...more,
      ],
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout).trim().split("\n").map((line) => line.split("|"));
  } finally {
    await Deno.remove(path);
  }
}

/** Whether a checksum is good, as tshark counts: 1. */
const GOOD = "1";

Deno.test({
  name: "tshark reads a whole call's capture as SIP, with our order and good checksums",
  ignore: tshark.ignore,
  async fn() {
    const world = new SimWorld({ seed: 1 });
    const alice = world.client("alice").connect();
    const bob = world.client("bob").connect();
    bob.onIncoming = (call) => bob.answer(call);
    world.clock.advance(10);
    const call = alice.call("bob", { video: true });
    world.clock.advance(2_000);
    alice.hold(call, true);
    world.clock.advance(1_000);
    alice.hangup(call);
    world.clock.advance(1_000);
    const ladder = world.plane.control.messages(call.id);
    assert(ladder && ladder.messages.length > 15, "the call should have left its messages");
    const fields = ["sip.Method", "sip.Status-Code", "ip.checksum.status", "tcp.checksum.status"];
    const lines = await read(ladderPcap(ladder), fields);
    const wanted = ladder.messages.map(({ status, method }) =>
      status === null ? [method, "", GOOD, GOOD] : ["", String(status), GOOD, GOOD]
    );
    assert.deepEqual(lines, wanted);
    const faults = await read(
      ladderPcap(ladder),
      ["_ws.expert.message"],
      "-Y",
      "tcp.analysis.flags",
    );
    assert.deepEqual(faults, [[""]], "the streams should have no gap");
    assert.deepEqual(world.finish(), []);
  },
});

function one(parts: Partial<LadderMessage>): LadderMessage {
  return {
    sequence: 1,
    at: "2026-02-03T04:05:06.789Z",
    offsetMs: 0,
    direction: "receive",
    from: "far",
    to: "server",
    transport: "UDP",
    localAddress: "192.0.2.1:5060",
    remoteAddress: "198.51.100.7:40000",
    method: "OPTIONS",
    cseq: 1,
    status: null,
    summary: "OPTIONS",
    hasSdp: false,
    text: "OPTIONS sip:x@example.org SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n" +
      "From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n" +
      "Content-Length: 0\r\n\r\n",
    ...parts,
  };
}

function ladder(messages: readonly LadderMessage[]): LadderView {
  return { callId: "c", sipCallIds: ["c"], dropped: 0, parties: [], messages };
}

Deno.test({
  name: "addresses, ports and times are those of the messages, IPv4 and IPv6",
  ignore: tshark.ignore,
  async fn() {
    const pcap = ladderPcap(ladder([
      one({}),
      one({ direction: "send", from: "server", to: "far" }),
      one({
        localAddress: "[2001:db8::1]:5060",
        remoteAddress: "[::ffff:192.0.2.9]:5061",
        at: "2026-02-03T04:05:07.001Z",
      }),
    ]));
    const fields = [
      ...["frame.time_epoch", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst"],
      ...["udp.srcport", "udp.dstport", "udp.checksum.status", "sip.Method"],
    ];
    const at = Date.parse("2026-02-03T04:05:06Z") / 1000;
    assert.deepEqual(await read(pcap, fields), [
      [`${at}.789000000`, "198.51.100.7", "192.0.2.1", "", "", "40000", "5060", GOOD, "OPTIONS"],
      [`${at}.789000000`, "192.0.2.1", "198.51.100.7", "", "", "5060", "40000", GOOD, "OPTIONS"],
      [
        ...[`${at + 1}.001000000`, "", "", "::ffff:192.0.2.9", "2001:db8::1"],
        ...["5061", "5060", GOOD, "OPTIONS"],
      ],
    ]);
  },
});

Deno.test({
  name: "a long message over a stream is put together again",
  ignore: tshark.ignore,
  async fn() {
    const body = "x".repeat(90_000);
    const text = one({}).text.replace("Content-Length: 0", `Content-Length: ${body.length}`) + body;
    const pcap = ladderPcap(ladder([one({ transport: "TLS", text })]));
    const lengths = await read(pcap, ["sip.msg_body", "sip.Method"], "-Y", "sip.Method");
    assert.deepEqual(lengths.map(([, method]) => method), ["OPTIONS"]);
  },
});
