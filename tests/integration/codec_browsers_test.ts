import assert from "node:assert/strict";
import { keepWorkers } from "../../src/actors/media_worker.ts";
import { systemClock } from "../../src/core/io/system_clock.ts";
import { createCodecPool } from "../../src/rtp/io/start_codec_pool.ts";
import type { TranscodedSide } from "../../src/rtp/rtp_media_port.ts";
import { chooseCodecs } from "../support/codec_choice.ts";
import { Leg, startPool } from "../support/media_legs.ts";
import { BrowserSide, launchChromium } from "../support/media_page.ts";
import { remoteTransport, withTransport } from "../support/media_sdp.ts";
import { needs } from "../support/needs.ts";

/**
 * Browsers drop audio of an SSRC that they were not told of beside video: it must stay the same.
 */

const A_HERTZ = 440;
const B_HERTZ = 1000;
const chromium = needs("chromium");

interface AudioCodec {
  readonly payloadType: number;
  readonly map: string;
}

const OPUS: AudioCodec = { payloadType: 111, map: "opus/48000/2" };
const PCMU: AudioCodec = { payloadType: 0, map: "PCMU/8000" };

/** The SDP with this codec alone in its audio, and without header extensions there. */
function withAudio(sdp: string, { payloadType, map }: AudioCodec): string {
  return sdp.split(/(?=^m=)/m).map((section) => {
    if (!section.startsWith("m=audio")) return section;
    const [head, ...lines] = section.split("\r\n")
      .filter((line) => !/^a=(rtpmap|fmtp|rtcp-fb|extmap):/.test(line));
    const shortened = head!.split(" ").slice(0, 3).join(" ");
    return [`${shortened} ${payloadType}`, `a=rtpmap:${payloadType} ${map}`]
      .flatMap((line, i) => i === 0 ? [line, lines[0]!] : [line, ...lines.slice(1)])
      .join("\r\n");
  }).join("");
}

/** Of the browser's audio. */
function ssrcOf(sdp: string): number {
  const audio = sdp.split(/(?=^m=)/m).find((section) => section.startsWith("m=audio"));
  return Number(audio?.match(/^a=ssrc:(\d+)/m)?.[1]);
}

const PLAIN = {
  packetMs: 20,
  telephoneEvent: null,
  comfortNoise: null,
  dtx: false,
  fec: false,
  bitrate: null,
} as const;

function transcodedSide(
  codec: TranscodedSide["codec"],
  type: number,
  ssrc: number,
): TranscodedSide {
  return { ...PLAIN, codec, payloadType: type, ssrc };
}

Deno.test({
  name: "two browsers with video, audio transcoded: codec workers die, and they hear each other on",
  ignore: chromium.ignore,
  async fn() {
    const codecs = await createCodecPool({
      clock: systemClock,
      workers: 1,
      keepWorker: keepWorkers(systemClock),
      allowCrash: true,
      onWorkerEvent: () => {},
    });
    const pool = await startPool(1, { codecs });
    const browser = await launchChromium(chromium.path);
    try {
      const a = await BrowserSide.open(browser, A_HERTZ, true);
      const b = await BrowserSide.open(browser, B_HERTZ, true);
      await chooseCodecs(a.page, { audio: ["opus"] });
      await chooseCodecs(b.page, { audio: ["PCMU"] });
      const [legA, legB] = [new Leg(pool, "a"), new Leg(pool, "b")];

      const offer = await a.offer();
      legA.handle.setRemote(remoteTransport(offer));
      const offered = withTransport(withAudio(offer, PCMU), await legB.local(), "actpass");
      const answer = await b.answer(offered);
      const remote = remoteTransport(answer);
      legB.handle.setRemote(remote);
      const [ssrcA, ssrcB] = [ssrcOf(offer), ssrcOf(answer)];
      legA.handle.transcode({
        own: transcodedSide("OPUS", 111, ssrcB),
        peer: transcodedSide("PCMU", 0, ssrcA),
        passed: remote.payloads.filter(({ kind }) => kind === "video"),
      });
      legA.handle.connect(legB.handle.token);
      legB.handle.connect(legA.handle.token);
      await a.accept(withTransport(withAudio(answer, OPUS), await legA.local(), "passive"));

      const both = async () => {
        await Promise.all([a.hears(B_HERTZ, 30_000), b.hears(A_HERTZ, 30_000)]);
        await Promise.all([a.sees(10, 30_000), b.sees(10, 30_000)]);
        const [atA, atB] = await Promise.all([a.statistics(), b.statistics()]);
        // Only what was announced, and nothing beside it.
        assert.deepEqual([atA.audioSources, atB.audioSources], [[ssrcB], [ssrcA]]);
        return [atA.audioPackets, atB.audioPackets] as const;
      };
      let before = await both();
      for (let deaths = 1; deaths <= 3; deaths++) {
        codecs.crashWorker(0);
        const end = performance.now() + 30_000;
        const isBack = () => {
          const worker = codecs.workers()[0]!;
          return worker.restarts === deaths && worker.state === "running";
        };
        while (!isBack()) {
          assert.ok(performance.now() < end, "no other codec worker has taken its place");
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        // Silence first: what is heard then comes of the new worker.
        const more = async () => {
          const [atA, atB] = await Promise.all([a.statistics(), b.statistics()]);
          return atA.audioPackets > before[0] + 50 && atB.audioPackets > before[1] + 50;
        };
        while (!await more()) {
          assert.ok(performance.now() < end, "the browsers get no audio any more");
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        before = await both();
      }
      for (const leg of [legA, legB]) {
        assert.deepEqual(leg.events.filter(({ type }) => type === "lost"), []);
        leg.handle.close();
      }
      assert.equal(codecs.size, 0);
    } finally {
      await browser.close();
      await pool.close();
      await codecs.close();
    }
  },
});
