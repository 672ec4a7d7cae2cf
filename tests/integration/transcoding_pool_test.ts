import assert from "node:assert/strict";
import { keepWorkers } from "../../src/actors/media_worker.ts";
import { systemClock } from "../../src/core/io/system_clock.ts";
import { createCodecPool } from "../../src/rtp/io/start_codec_pool.ts";
import type { RtpEndpointEvent, TranscodedSide } from "../../src/rtp/rtp_media_port.ts";
import { CodecPhone, codecsHere } from "../support/codec_phone.ts";
import { startPool } from "../support/media_legs.ts";
import { PhoneLeg } from "../support/phone_leg.ts";

/** A transcoder between two legs: in whichever workers they are, and when its own worker dies. */

const COMMON = {
  packetMs: 20,
  comfortNoise: null,
  dtx: false,
  fec: false,
  bitrate: null,
} as const;
const EVENT = { payloadType: 101, clockRate: 8000 };
const PCMU: TranscodedSide = { ...COMMON, codec: "PCMU", payloadType: 0, telephoneEvent: EVENT };
const OPUS: TranscodedSide = { ...COMMON, codec: "OPUS", payloadType: 111, telephoneEvent: EVENT };

for (const workers of [1, 2]) {
  Deno.test(`transcoder over ${workers} media workers: tones, a codec worker dies, all closes`, async () => {
    const opus = (await codecsHere()).get("OPUS");
    assert(opus, "Opus works everywhere");
    await using far = new CodecPhone(opus, 1000);
    const codecs = await createCodecPool({
      clock: systemClock,
      workers: 1,
      keepWorker: keepWorkers(systemClock),
      allowCrash: true,
      onWorkerEvent: () => {},
    });
    const pool = await startPool(workers, { codecs });
    const near = new PhoneLeg(pool, { hertz: 440 });
    const events: RtpEndpointEvent[] = [];
    // Not near the other: with two workers it is placed in the second.
    const peer = pool.openRtp({ label: "far", towards: "127.0.0.1", media: ["audio"] }, (event) => {
      events.push(event);
    });
    try {
      await near.up();
      await far.until("the far leg is open", () => events.length > 0);
      const [opened] = events;
      assert(opened?.type === "opened");
      peer.setRemote([{
        address: "127.0.0.1",
        port: far.port,
        rtcpPort: far.port + 1,
        keys: null,
        payloads: [
          { payloadType: 111, codec: "opus", clockRate: 48_000 },
          { payloadType: 101, codec: "telephone-event", clockRate: 8000 },
        ],
        hasFeedback: false,
      }]);
      // The other side is joined before anybody knows of a transcoder.
      peer.connect(near.handle.token);
      near.handle.transcode({ own: PCMU, peer: OPUS, passed: [] });
      near.handle.connect(peer.token);
      far.play(opened.local[0]!.port);
      await Promise.all([near.peer.hears(1000, 30_000), far.hears(440)]);
      assert.equal(pool.workers()[0]!.bridges, workers - 1);
      await far.until("statistics come", () => near.of("transcoding").length > 0);
      const { statistics } = near.of("transcoding").at(-1)!;
      assert(statistics.fromOwn.receivePackets > 0);
      assert.equal(statistics.worker, codecs.workers()[0]!.name);
      const reported = () => {
        const { fromOwn, fromPeer } = near.of("transcoding").at(-1)!.statistics;
        return [Math.round(fromOwn.reportedLossPercent), fromPeer.reportedLossPercent];
      };
      far.report(0.25);
      await far.until("the encoder is told of losses", () => reported()[0] === 25);
      far.report(0);
      await far.until("and that there are fewer", () => reported()[0]! < 25);
      assert.equal(reported()[1], 0, "the other way nothing is lost");

      codecs.crashWorker(0);
      await far.until("it is started again", () => codecs.workers()[0]!.restarts > 0);
      await Promise.all([near.peer.hears(1000, 30_000), far.hears(440)]);
      assert.deepEqual(near.of("lost"), []);

      // The relay workers too: whoever comes in their place finds the hops as they were.
      if (pool.workers().every(({ shell }) => shell.startsWith("ffi"))) {
        for (let worker = 0; worker < workers; worker++) pool.crashWorker(worker);
        const adopted = () => pool.workers().every(({ adoptions }) => adoptions === 1);
        await far.until("others take their place", adopted);
        const from = near.peer.packets.length;
        await near.peer.until("new packets", () => near.peer.packets.length > from + 20, 30_000);
        await Promise.all([near.peer.hears(1000, 30_000), far.hears(440)]);
        assert.deepEqual([...near.of("lost"), ...events.filter(({ type }) => type === "lost")], []);
      }

      near.handle.transcode(null);
      assert.equal(codecs.size, 0);
    } finally {
      peer.close();
      near.close();
      assert.deepEqual(pool.size, { endpoints: 0, bridges: 0, waiting: 0 });
      await pool.close();
      await codecs.close();
    }
  });
}
