import assert from "node:assert/strict";
import { LossReports } from "../../../src/rtp/codec/loss_reports.ts";
import { HopFilter, HopWay } from "../../../src/rtp/codec/hop_filter.ts";
import { writeRtp } from "../../../src/rtp/codec/rtp_packet.ts";
import { side } from "../../support/transcoder_bench.ts";

/** Audio goes into the transcoder, video past it, and reports nowhere. */

const VIDEO = 102;
const VIDEO_SSRC = 0x1234;

function filter(): HopFilter {
  return new HopFilter({ a: side("PCMU"), b: side("OPUS") }, [VIDEO]);
}

function rtp(payloadType: number, ssrc: number): Uint8Array {
  const payload = new Uint8Array(20);
  return writeRtp({ payloadType, marker: false, sequence: 1, timestamp: 1, ssrc, payload });
}

function feedback(type: number, media: number, entry?: number): Uint8Array {
  const packet = new Uint8Array(entry === undefined ? 12 : 20);
  const view = new DataView(packet.buffer);
  packet.set([0x81, type, 0, packet.length / 4 - 1]);
  view.setUint32(8, media);
  if (entry !== undefined) view.setUint32(12, entry);
  return packet;
}

Deno.test("audio of each side is transcoded, video passes, other numbers are dropped", () => {
  const hop = filter();
  assert.equal(hop.way("a", rtp(side("PCMU").payloadType, 1)), HopWay.transcode);
  assert.equal(hop.way("b", rtp(side("OPUS").payloadType, 1)), HopWay.transcode);
  assert.equal(hop.way("a", rtp(VIDEO, VIDEO_SSRC)), HopWay.pass);
  assert.equal(hop.way("a", rtp(33, 1)), HopWay.drop);
  assert.equal(hop.way("a", Uint8Array.of(0x80, 0, 0)), HopWay.drop);
  assert.equal(hop.way("a", new Uint8Array(20)), HopWay.drop);
});

Deno.test("feedback about video passes, once the video has; reports and audio's stay", () => {
  const hop = filter();
  assert.equal(hop.way("b", feedback(206, VIDEO_SSRC)), HopWay.report);
  hop.way("a", rtp(VIDEO, VIDEO_SSRC));
  assert.equal(hop.way("b", feedback(206, VIDEO_SSRC)), HopWay.pass);
  assert.equal(hop.way("b", feedback(205, VIDEO_SSRC)), HopWay.pass);
  assert.equal(hop.way("b", feedback(206, 0, VIDEO_SSRC)), HopWay.pass);
  assert.equal(hop.way("a", feedback(206, VIDEO_SSRC)), HopWay.report);
  assert.equal(hop.way("b", feedback(206, 99)), HopWay.report);
  assert.equal(hop.way("b", feedback(201, VIDEO_SSRC)), HopWay.report);
});

Deno.test("reports: a loss counts at once and fades; what is about others, or broken, counts not", () => {
  const losses = new LossReports(7);
  const report = (type: number, ssrc: number, fraction: number, blocks = 1) => {
    const head = type === 200 ? 28 : 8;
    const packet = new Uint8Array(head + 24 * blocks);
    const view = new DataView(packet.buffer);
    packet.set([0x80 | blocks, type, 0, packet.length / 4 - 1]);
    view.setUint32(head + 24 * (blocks - 1), ssrc);
    packet[head + 24 * (blocks - 1) + 4] = fraction;
    return packet;
  };
  assert.equal(losses.packet(report(201, 8, 99)), null);
  assert.equal(losses.packet(report(201, 7, 64)), 25);
  assert.equal(losses.packet(report(200, 7, 0, 2)), 12.5);
  assert.equal(losses.packet(report(201, 7, 128)), 50);
  assert.equal(losses.packet(Uint8Array.of(...report(201, 9, 1), ...report(201, 7, 0))), 25);
  for (let length = 0; length < 32; length++) {
    losses.packet(report(201, 7, 255).subarray(0, length));
  }
  assert.equal(losses.packet(report(201, 7, 0)), 12.5, "nothing of the broken ones was taken");
});
