import type { EndpointToken } from "../../core/ids.ts";
import { ok, type Result } from "../../core/result.ts";
import * as sdp from "../../sdp/mod.ts";
import type { Role, Side, Translated } from "./exchange.ts";
import { type MediaChoice, openMedia } from "./open_media.ts";
import { PhoneMedia } from "./phone_media.ts";
import type { Described, WireMedia } from "./wire_media.ts";

export interface AnchorMediaOptions extends Omit<MediaChoice, "keep"> {
  /** Another endpoint stands here, or none any more. */
  readonly onMoved: () => void;
}

/** An m-line of video that is wanted. */
const VIDEO = /^m=video [1-9]/m;

/** Descriptions of the far end that are kept for direct media. */
const MAX_TEXTS = 8;

/**
 * The media of one anchor over the life of its dialog: which kind it is, whom it is joined with,
 * and what each description says on the other side of the edge.
 */
export class AnchorMedia {
  /** The far end's own words by version of what was said of them inside. */
  readonly texts = new Map<number, string>();
  /** Why what the far end offered is no part of the call, in words. */
  missing: string | null = null;
  /** Of the far end, where it offered video. */
  #videoOffer: sdp.Sdp | null = null;
  #peer: EndpointToken | null = null;
  readonly #options: AnchorMediaOptions;
  #wire: WireMedia | null = null;
  /** The last answer that went to the far end, where it was another wire side's own. */
  #directText: string | null = null;
  /** Whom an endpoint that is still to be opened will be joined with. */
  #near: EndpointToken | null = null;

  constructor(options: AnchorMediaOptions) {
    this.#options = options;
  }

  /** Whose packets go to the far end, or would if an endpoint could be had. */
  get peer(): EndpointToken | null {
    return this.#peer ?? this.#near;
  }

  /** Null before the first offer. */
  get wire(): WireMedia | null {
    return this.#wire;
  }

  /** Where it is a phone's. */
  get phone(): PhoneMedia | undefined {
    return this.#wire instanceof PhoneMedia ? this.#wire : undefined;
  }

  /**
   * Chooses the media that this offer needs, and opens its endpoint.
   * @param mayWait the endpoint need not be opened before `translate` asks for it
   */
  open(side: Side, text: string, mayWait: boolean): Result<WireMedia, sdp.SdpFault> {
    const made = openMedia.forOffer(this.#choice(), side, text, mayWait);
    if (!made.ok) return made;
    this.#wire = made.value;
    this.#options.onMoved();
    return ok(made.value);
  }

  /** Whether an endpoint is open, or none is needed. */
  get isOpen(): boolean {
    return this.phone?.hasEndpoint ?? true;
  }

  /** Opens the endpoint that `translate` has asked for; `opened` or `failed` follows. */
  openEndpoint(): void {
    this.phone?.open(this.#near ?? undefined);
  }

  /**
   * Puts a description over to the other side, or says why that can't be; `unopened`: not before
   * `openEndpoint`.
   */
  translate(side: Side, role: Role, text: string): Translated | sdp.SdpFault | "unopened" {
    const media = this.#wire!;
    const { exchange, kind } = role;
    const read = this.#options.settings.media === "direct" ? sdp.scanSdp : sdp.parseSdp;
    if (side === "wire") {
      const clean = sdp.stripEndpointTokens(text);
      if (kind === "answer") {
        const answer = media.answerIn(clean);
        return this.#toAnswer(answer, () => exchange.innerToken);
      }
      this.#videoOffer = VIDEO.test(clean) ? valueOf(read(clean)) : null;
      const offer = media.offerIn(clean);
      return offer.ok ? { body: offer.value } : offer.error;
    }
    const abstract = read(text);
    if (!abstract.ok) return abstract.error;
    const token = sdp.endpointToken(abstract.value);
    const direct = kind === "answer" ? this.#directAnswer(abstract.value) : undefined;
    if (!direct && !this.isOpen) {
      this.#near = token ?? null;
      return "unopened";
    }
    if (kind === "answer") {
      const answer = direct ?? media.answerOut(abstract.value);
      const offer = this.#videoOffer;
      const translated = this.#toAnswer(answer, () => token, direct !== undefined);
      return offer ? this.#withNote(translated, sdp.audioOnly(offer, abstract.value)) : translated;
    }
    exchange.innerToken = token;
    const offer = media.offerOut(abstract.value);
    return offer.ok ? { body: offer.value } : offer.error;
  }

  #withNote(translated: Translated, missing: string | null): Translated {
    const { body, agree } = translated;
    return {
      body,
      agree: (isFinal) => {
        this.missing = missing;
        agree?.(isFinal);
      },
    };
  }

  #toAnswer(
    answer: Described,
    peer: () => EndpointToken | undefined,
    isDirect = false,
  ): Translated {
    if (answer.fault) {
      const { text } = answer.fault;
      const { ports, label } = this.#options;
      ports.log.warn("an answer can't be used", { leg: label, text });
    }
    return {
      body: answer.text,
      agree: (isFinal) => {
        this.#directText = isDirect ? answer.text : null;
        if (isDirect && isFinal) return this.goDirect();
        answer.commit();
        const token = peer();
        if (answer.fault || token === undefined) return;
        if (this.#peer === token) return;
        this.#peer = token;
        this.#wire?.connect(token);
      },
    };
  }

  /** The other wire side's own words, where both allow it and an endpoint stands here so far. */
  #directAnswer(abstract: sdp.Sdp): Described | undefined {
    if (this.#options.settings.media !== "direct" || this.#wire?.kind !== "rtp") return undefined;
    const text = this.#options.original(abstract);
    if (text === undefined) return undefined;
    this.#peer = sdp.endpointToken(abstract) ?? null;
    return { text, commit: () => {} };
  }

  /** Media passes by us from now on, where the last answer said so. */
  goDirect(): void {
    const media = this.#wire;
    const text = this.#directText;
    if (media?.kind !== "rtp" || text === null) return;
    media.close();
    const direct = openMedia.direct(
      this.#choice(),
      media.token,
      Math.max(0, ...this.texts.keys()),
    );
    direct.note(text);
    this.#wire = direct;
    this.#options.onMoved();
  }

  #choice(): MediaChoice {
    return { ...this.#options, keep: (version, text) => this.#keep(version, text) };
  }

  #keep(version: number, text: string): void {
    if (this.#options.settings.media !== "direct") return;
    this.texts.set(version, text);
    const oldest = this.texts.keys().next();
    if (this.texts.size > MAX_TEXTS && !oldest.done) this.texts.delete(oldest.value);
  }
}

function valueOf<T>(result: Result<T, unknown>): T | null {
  return result.ok ? result.value : null;
}
