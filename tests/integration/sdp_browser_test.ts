import assert from "node:assert/strict";
import { type Browser, chromium, type Page } from "playwright-core";
import {
  abstractAnswer,
  abstractOffer,
  abstractOfferOfAnswer,
  browserAnswer,
  browserOffer,
  checkBrowserDescription,
  firstCodecs,
  serverOffer,
} from "../../src/sdp/mod.ts";
import { needs } from "../support/needs.ts";
import { CALLEE_TOKEN, CALLER_TOKEN, LOCAL, parsed, value } from "../unit/sdp/fixtures.ts";

/** What we write, judged by the one whose judgement counts: a real RTCPeerConnection. */

const browserNeed = needs("chromium");

interface Media {
  readonly audio: boolean;
  readonly video: boolean;
  /** Absent: from the fake devices, sendrecv. */
  readonly direction?: RTCRtpTransceiverDirection;
  readonly data?: boolean;
}
type RTCRtpTransceiverDirection = "sendrecv" | "sendonly" | "recvonly" | "inactive";

/** Runs in the page: one peer connection, made as the Web SDK makes it. */
const PAGE_SCRIPT = `
  window.make = async ({ audio, video, direction, data }) => {
    window.tracks = [];
    window.peer = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-compat" });
    peer.ontrack = (event) => tracks.push([event.track.kind, event.streams.map(({ id }) => id)]);
    if (data) peer.createDataChannel("data");
    if (direction) {
      if (audio) peer.addTransceiver("audio", { direction });
      if (video) peer.addTransceiver("video", { direction });
      return;
    }
    const stream = await navigator.mediaDevices.getUserMedia({ audio, video });
    for (const track of stream.getTracks()) peer.addTrack(track, stream);
  };
  window.offer = async () => {
    await peer.setLocalDescription(await peer.createOffer());
    return peer.localDescription.sdp;
  };
  window.answer = async (sdp) => {
    await peer.setRemoteDescription({ type: "offer", sdp });
    await peer.setLocalDescription(await peer.createAnswer());
    return peer.localDescription.sdp;
  };
  window.accept = async (sdp) => {
    await peer.setRemoteDescription({ type: "answer", sdp });
    return peer.signalingState;
  };
`;

class Phone {
  readonly #page: Page;

  private constructor(page: Page) {
    this.#page = page;
  }

  static async open(browser: Browser, origin: string): Promise<Phone> {
    const page = await (await browser.newContext()).newPage();
    await page.goto(origin);
    await page.evaluate(PAGE_SCRIPT);
    return new Phone(page);
  }

  async #call<T>(name: string, argument?: unknown): Promise<T> {
    return await this.#page.evaluate(`${name}(${JSON.stringify(argument) ?? ""})`) as T;
  }

  make(media: Media): Promise<void> {
    return this.#call("make", media);
  }

  offer(): Promise<string> {
    return this.#call("offer");
  }

  answer(sdp: string): Promise<string> {
    return this.#call("answer", sdp);
  }

  accept(sdp: string): Promise<string> {
    return this.#call("accept", sdp);
  }

  /** Remote tracks seen: kind and ids of their streams. */
  tracks(): Promise<[string, string[]][]> {
    return this.#page.evaluate("tracks") as Promise<[string, string[]][]>;
  }

  /** Current direction of each media section, by mid; null: refused. */
  directions(): Promise<Record<string, string | null>> {
    return this.#page.evaluate(
      "Object.fromEntries(peer.getTransceivers().map((t) => [t.mid, t.currentDirection]))",
    ) as Promise<Record<string, string | null>>;
  }
}

async function withPhones(run: (caller: Phone, callee: Phone) => Promise<void>): Promise<void> {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("<!doctype html>", { headers: { "content-type": "text/html" } }),
  );
  const browser = await chromium.launch({
    executablePath: browserNeed.path,
    args: [
      "--no-sandbox",
      "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream",
    ],
  });
  try {
    const origin = `http://127.0.0.1:${server.addr.port}/`;
    await run(await Phone.open(browser, origin), await Phone.open(browser, origin));
  } finally {
    await browser.close();
    await server.shutdown();
  }
}

/** A whole negotiation; gives back the body of the callee's 200. */
async function negotiate(
  caller: Phone,
  callee: Phone,
  media: { readonly caller: Media; readonly callee: Media },
  change: (ok: string) => string = (ok) => ok,
): Promise<string> {
  await caller.make(media.caller);
  await callee.make(media.callee);
  const offer = parsed(await caller.offer());
  value(checkBrowserDescription(offer));
  const invite = parsed(abstractOffer(offer, CALLER_TOKEN));
  const answer = parsed(await callee.answer(value(browserOffer(invite, LOCAL))));
  value(checkBrowserDescription(answer));
  const ok = change(value(abstractAnswer(invite, answer, CALLEE_TOKEN)));
  assert.equal(await caller.accept(value(browserAnswer(offer, parsed(ok), LOCAL))), "stable");
  return ok;
}

const AUDIO: Media = { audio: true, video: false };
const VIDEO: Media = { audio: true, video: true };
const BOTH_TRACKS = [["audio", ["portzero"]], ["video", ["portzero"]]];

Deno.test({
  name: "sdp in Chromium: it takes every offer and answer that we write",
  ignore: browserNeed.ignore,
  fn: () =>
    withPhones(async (caller, callee) => {
      const audio = await negotiate(caller, callee, { caller: AUDIO, callee: AUDIO });
      assert.deepEqual(firstCodecs(parsed(audio)), ["opus"]);
      assert.deepEqual(await caller.tracks(), [["audio", ["portzero"]]]);
      assert.deepEqual(await callee.tracks(), [["audio", ["portzero"]]]);

      const video = await negotiate(caller, callee, { caller: VIDEO, callee: VIDEO });
      assert.deepEqual(firstCodecs(parsed(video)), ["opus", "VP8"]);
      assert.deepEqual(await caller.tracks(), BOTH_TRACKS);
      assert.deepEqual(await callee.tracks(), BOTH_TRACKS);
      assert.deepEqual(await caller.directions(), { 0: "sendrecv", 1: "sendrecv" });

      await negotiate(caller, callee, { caller: VIDEO, callee: AUDIO });
      assert.deepEqual(await caller.directions(), { 0: "sendrecv", 1: "sendonly" });

      const listener: Media = { ...VIDEO, direction: "recvonly" };
      await negotiate(caller, callee, { caller: listener, callee: VIDEO });
      assert.deepEqual(await caller.directions(), { 0: "recvonly", 1: "recvonly" });
      assert.deepEqual(await callee.tracks(), []);

      await negotiate(
        caller,
        callee,
        { caller: VIDEO, callee: VIDEO },
        (ok) => ok.replace("m=video 9", "m=video 0"),
      );
      assert.equal((await caller.directions())["1"] ?? null, null, "video refused");
      assert.deepEqual(await caller.tracks(), [["audio", ["portzero"]]]);

      await negotiate(caller, callee, { caller: { ...AUDIO, data: true }, callee: AUDIO });
      assert.deepEqual(await caller.tracks(), [["audio", ["portzero"]]]);
    }),
});

Deno.test({
  name: "sdp in Chromium: our own offer, then the callee gets what the first leg negotiated",
  ignore: browserNeed.ignore,
  fn: () =>
    withPhones(async (first, callee) => {
      for (const media of [AUDIO, VIDEO, { audio: false, video: true }]) {
        await first.make(media);
        await callee.make(VIDEO);
        const offer = serverOffer(LOCAL, media);
        const answer = parsed(await first.answer(offer));
        value(checkBrowserDescription(answer));
        const invite = value(abstractOfferOfAnswer(parsed(offer), answer, CALLER_TOKEN));
        const toCallee = value(browserOffer(parsed(invite), LOCAL));
        const ok = value(
          abstractAnswer(parsed(invite), parsed(await callee.answer(toCallee)), CALLEE_TOKEN),
        );
        const expected = [...(media.audio ? ["opus"] : []), ...(media.video ? ["VP8"] : [])];
        assert.deepEqual(firstCodecs(parsed(ok)), expected);
        assert.deepEqual((await first.tracks()).map(([kind]) => kind), [
          ...(media.audio ? ["audio"] : []),
          ...(media.video ? ["video"] : []),
        ]);
      }
    }),
});
