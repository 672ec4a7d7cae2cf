import assert from "node:assert/strict";
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
  assert.equal(hop.way("b", feedback(206, VIDEO_SSRC)), HopWay.drop);
  hop.way("a", rtp(VIDEO, VIDEO_SSRC));
  assert.equal(hop.way("b", feedback(206, VIDEO_SSRC)), HopWay.pass);
  assert.equal(hop.way("b", feedback(205, VIDEO_SSRC)), HopWay.pass);
  assert.equal(hop.way("b", feedback(206, 0, VIDEO_SSRC)), HopWay.pass);
  assert.equal(hop.way("a", feedback(206, VIDEO_SSRC)), HopWay.drop);
  assert.equal(hop.way("b", feedback(206, 99)), HopWay.drop);
  assert.equal(hop.way("b", feedback(201, VIDEO_SSRC)), HopWay.drop);
});
