import type { TranscodedSides } from "../../rtp/rtp_media_port.ts";
import * as sdp from "../../sdp/mod.ts";
import { sidesOfBrowser } from "./transcoded.ts";

type Codec = sdp.CodecPair["inner"];

/**
 * What a SIP client in a browser calls the audio of whoever it talks with: the same, or another
 * codec where the two share none and a transcoder stands between them. A page that the Web SDK
 * serves never renegotiates; this one may, from either side, so that what was agreed goes on.
 */
export class BrowserCodecs {
  /** Asked for each offer: codec workers may come and go. */
  readonly #able: () => ReadonlySet<string>;
  #offered: sdp.WidenedPairs = [];
  /** What passes as it is. */
  #shared: readonly Codec[] = [];
  #transcoded: readonly sdp.CodecPair[] | null = null;

  constructor(able: () => ReadonlySet<string>) {
    this.#able = able;
  }

  /** What the browser is offered in place of `abstract`. */
  offer(abstract: sdp.Sdp): sdp.Sdp {
    const said = audioOf(abstract)?.codecs ?? [];
    const main = this.#transcoded && sdp.transcodedPair(this.#transcoded);
    if (this.#transcoded && main && said.some((codec) => sdp.samePayload(codec, main.inner))) {
      const pairs = this.#transcoded;
      this.#offered = abstract.media.map((section) => isAudio(section) ? pairs : []);
      return withAudio(abstract, sdp.codecsFor(pairs, "wire"));
    }
    this.#offered = [];
    if (said.some((codec) => this.#shared.some((one) => sdp.samePayload(one, codec)))) {
      return abstract;
    }
    const { offer, pairs } = sdp.widenedForBrowser(abstract, this.#able());
    this.#offered = pairs;
    return offer;
  }

  /** What the browser's answer to that says inside, and what a transcoder then has to do. */
  settle(answer: sdp.Sdp): { readonly answer: sdp.Sdp; readonly pairs: Pairs } {
    return sdp.settledByBrowser(this.#offered, answer);
  }

  /** An offer of the browser's own, as it is said inside. */
  offerIn(offer: sdp.Sdp): sdp.Sdp {
    const pairs = this.#transcoded;
    if (!pairs) return offer;
    const all = offer.media.map((section) => isAudio(section) ? pairs : []);
    return sdp.settledByBrowser(all, offer).answer;
  }

  /** The answer from inside to that, in the browser's words. */
  answerOut(abstract: sdp.Sdp): sdp.Sdp {
    const said = audioOf(abstract)?.codecs ?? [];
    const pairs = (this.#transcoded ?? []).filter(({ inner, only }) =>
      only === "wire" || said.some((codec) => sdp.samePayload(codec, inner))
    );
    return sdp.transcodedPair(pairs) ? withAudio(abstract, sdp.codecsFor(pairs, "wire")) : abstract;
  }

  /** The answer of `settle` is agreed on; null: nothing is transcoded. */
  agree(pairs: Pairs, answer: sdp.Sdp): void {
    this.#transcoded = pairs;
    this.keep(answer);
  }

  /** What an answer has agreed on passes as it is, but for what is transcoded. */
  keep(answer: sdp.Sdp): void {
    this.#shared = this.#transcoded
      ? []
      : (audioOf(answer)?.codecs ?? []).filter((codec) => sdp.isMediaCodec(codec));
  }
}

type Pairs = readonly sdp.CodecPair[] | null;

/** What the browser's endpoint needs for such an answer; null: audio passes as it is. */
export function sidesOf(
  pairs: Pairs,
  offer: sdp.Sdp,
  answer: sdp.Sdp,
  body: string,
): TranscodedSides | null {
  return pairs && sidesOfBrowser(pairs, offer, answer, body);
}

type Section = sdp.Sdp["media"][number];

function isAudio({ kind, rejected }: Section): boolean {
  return kind === "audio" && !rejected;
}

function audioOf({ media }: sdp.Sdp): Section | undefined {
  return media.find(isAudio);
}

/** Packets of a transcoder have lengths of their own, and no header extensions. */
function withAudio(description: sdp.Sdp, codecs: readonly Codec[]): sdp.Sdp {
  return {
    ...description,
    media: description.media.map((section) =>
      isAudio(section)
        ? { ...section, codecs, extensions: [], ptime: undefined, maxptime: undefined }
        : section
    ),
  };
}
