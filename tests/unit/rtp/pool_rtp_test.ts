import assert from "node:assert/strict";
import { keepWorkers } from "../../../src/actors/media_worker.ts";
import { SeededEntropy } from "../../../src/core/entropy.ts";
import type { EndpointToken } from "../../../src/core/ids.ts";
import { ManualClock } from "../../../src/core/manual_clock.ts";
import type { MediaCommand } from "../../../src/rtp/contract.ts";
import { MediaPool } from "../../../src/rtp/pool.ts";
import { addressTowards } from "../../../src/rtp/pool_rtp.ts";
import type { RemoteRtp, RtpEndpointEvent } from "../../../src/rtp/rtp_media_port.ts";
import { Cast } from "../../support/media_workers.ts";

const MATERIAL = Uint8Array.from({ length: 30 }, (_, i) => i);
const SUITE = "AES_CM_128_HMAC_SHA1_32";
const REMOTE: RemoteRtp = {
  address: "192.0.2.7",
  port: 4000,
  rtcpPort: 4001,
  keys: {
    receive: { suite: SUITE, material: MATERIAL },
    send: { suite: SUITE, material: MATERIAL.map((byte) => byte + 100) },
  },
  payloads: [
    { payloadType: 0, codec: "PCMU", clockRate: 8000 },
    { payloadType: 101, codec: "telephone-event", clockRate: 8000, peerPayloadType: 126 },
  ],
  hasFeedback: false,
};

class Stage {
  readonly clock = new ManualClock();
  readonly cast = new Cast(this.clock);
  readonly pool: MediaPool;

  constructor(workers: number, publicAddress?: string) {
    this.pool = new MediaPool({
      clock: this.clock,
      entropy: new SeededEntropy(7),
      workers,
      keepWorker: keepWorkers(this.clock),
      mediaFactory: this.cast.mediaFactory,
      handshakeFactory: this.cast.handshakeFactory,
      addresses: ["127.0.0.1", "10.1.2.3"],
      ...(publicAddress === undefined ? {} : { publicAddress }),
      portRange: [20_000, 20_999],
      silentAfterMs: 1000,
      allowCrash: false,
      log: () => {},
      onWorkerEvent: () => {},
    });
    this.pool.start(() => {});
    this.clock.flush();
  }

  open(towards: string, near?: EndpointToken) {
    const events: RtpEndpointEvent[] = [];
    const handle = this.pool.openRtp(
      { label: "phone", towards, media: ["audio"], ...(near === undefined ? {} : { near }) },
      (event) => events.push(event),
    );
    this.clock.flush();
    return { handle, events };
  }

  told<T extends MediaCommand["type"]>(worker: number, type: T) {
    return this.cast.worker(worker).commands.filter((command) => command.type === type) as Extract<
      MediaCommand,
      { type: T }
    >[];
  }
}

Deno.test("SIP legs: placed near, opened where the far end reaches them, and told everything", () => {
  const stage = new Stage(3);
  const starts = [0, 1, 2].map((id) => stage.told(id, "start")[0]!.firstPair);
  assert.deepEqual(starts, [20_000, 20_333, 20_666]);
  stage.open("127.0.0.1");
  const phone = stage.open("10.1.9.9");
  const near = stage.open("127.0.0.1", phone.handle.token);
  const [opened] = phone.events;
  assert.ok(opened?.type === "opened");
  assert.deepEqual([opened.worker, opened.local[0]!.address], [1, "10.1.2.3"]);
  assert.equal(near.events[0]!.type === "opened" && near.events[0]!.worker, 1);
  phone.handle.setRemote([REMOTE]);
  const [{ sections }] = stage.told(1, "set-remote-rtp") as [
    Extract<MediaCommand, { type: "set-remote-rtp" }>,
  ];
  const section = sections[0]!;
  assert.deepEqual(section.rtp, { address: "192.0.2.7", port: 4000 });
  assert.deepEqual(section.payloads.map(({ peerPayloadType }) => peerPayloadType), [0, 126]);
  assert.equal(section.keys!.profile, 2);
  assert.deepEqual([...section.keys!.remoteKey], [...MATERIAL.subarray(0, 16)]);
  assert.deepEqual([...section.keys!.remoteSalt], [...MATERIAL.subarray(16)]);
  assert.equal(section.keys!.localKey[0], 100);
  phone.handle.sendDtmf("1", 80);
  assert.deepEqual(stage.told(1, "send-dtmf").map(({ digits }) => digits), ["1"]);
  phone.handle.connect(near.handle.token);
  assert.equal(stage.told(1, "connect").length, 1);
  const handshakes = stage.cast.handshakes[0]!.commands.map(({ type }) => type);
  assert.deepEqual(handshakes, ["start"], "no DTLS for a phone");
});

Deno.test("SIP legs: events reach the listener, and after close nothing does", () => {
  const stage = new Stage(1);
  const { handle, events } = stage.open("127.0.0.1");
  const endpoint = handle.id;
  const worker = stage.cast.worker(0);
  worker.say({ type: "latched", endpoint, kind: "audio", address: "1.2.3.4:5" });
  worker.say({ type: "dtmf", endpoint, digit: "5", durationMs: 80 });
  worker.say({ type: "key-frame-wanted", endpoint });
  worker.say({ type: "silent", endpoint, ms: 5 });
  // What a WebRTC leg would be told.
  worker.say({ type: "media", endpoint, kind: "audio" });
  assert.deepEqual(events.map(({ type }) => type), [
    "opened",
    "latched",
    "dtmf",
    "key-frame-wanted",
    "silent",
  ]);
  handle.close();
  worker.say({ type: "dtmf", endpoint, digit: "5", durationMs: 80 });
  handle.sendDtmf("1", 80);
  handle.setRemote([REMOTE]);
  assert.equal(events.length, 5);
  assert.equal(stage.told(0, "send-dtmf").length, 0);
  assert.deepEqual(stage.pool.size, { endpoints: 0, bridges: 0, waiting: 0 });
});

Deno.test("SIP legs: joined with one whose token was told before it is opened", () => {
  const stage = new Stage(3);
  stage.open("127.0.0.1");
  const callee = stage.open("127.0.0.1");
  const token = "0123456789abcdef0123456789abcdef" as EndpointToken;
  callee.handle.connect(token);
  assert.equal(stage.told(1, "connect").length, 0);
  assert.equal(stage.pool.size.waiting, 1);
  const caller = stage.pool.openRtp(
    { token, near: callee.handle.token, label: "late", towards: "127.0.0.1", media: ["audio"] },
    () => {},
  );
  stage.clock.flush();
  assert.equal(caller.token, token);
  caller.connect(callee.handle.token);
  const { id } = callee.handle;
  assert.deepEqual(
    stage.told(1, "connect").map(({ endpoint, peer }) => [endpoint, peer]),
    [[id, caller.id], [caller.id, id]],
    "both are told, in the callee's worker",
  );
  caller.close();
  callee.handle.connect(token);
  callee.handle.close();
  assert.equal(stage.pool.size.waiting, 0, "whoever waits for a peer that is gone leaves nothing");
});

Deno.test("SIP legs: a worker that dies takes them along, and says so", () => {
  const stage = new Stage(1);
  const { events } = stage.open("127.0.0.1");
  stage.cast.worker(0).die("out of memory");
  stage.clock.flush();
  assert.deepEqual(events.map(({ type }) => type), ["opened", "lost"]);
  assert.deepEqual(stage.pool.size, { endpoints: 0, bridges: 0, waiting: 0 });
});

Deno.test("SIP legs: the NAT's address is for those beyond it; no address of the family fails", () => {
  const stage = new Stage(1, "203.0.113.1");
  const addressOf = (towards: string) => {
    const [event] = stage.open(towards).events;
    return event?.type === "opened" ? event.local[0]!.address : event?.type;
  };
  assert.equal(addressOf("198.51.100.9"), "203.0.113.1");
  assert.equal(addressOf("10.9.9.9"), "10.1.2.3");
  assert.equal(addressOf("127.0.0.1"), "127.0.0.1");
  const { events } = stage.open("2001:db8::1");
  assert.deepEqual(events.map((event) => event.type === "failed" && event.reason), ["no_port"]);
  const closed = stage.pool.openRtp(
    { label: "phone", towards: "::1", media: ["audio"] },
    () => assert.fail("nothing is told after close"),
  );
  closed.close();
  stage.clock.flush();
});

Deno.test("the local address for a far end: family, loopback, first bits", () => {
  const own = ["127.0.0.1", "192.168.1.5", "10.0.0.5", "::1", "2001:db8::5"];
  const rows: [string, string | null][] = [
    ["127.0.0.9", "127.0.0.1"],
    ["192.168.1.77", "192.168.1.5"],
    ["10.20.30.40", "10.0.0.5"],
    ["::1", "::1"],
    ["2001:db8::77", "2001:db8::5"],
  ];
  for (const [towards, expected] of rows) assert.equal(addressTowards(own, towards), expected);
  assert.equal(addressTowards(["127.0.0.1"], "192.0.2.1"), "127.0.0.1", "the only one there is");
  assert.equal(addressTowards(["127.0.0.1"], "::1"), null);
});
