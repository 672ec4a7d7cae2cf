import type { PhoneCall } from "./phone_call.ts";
import { type PhoneSdp, writePhoneSdp } from "./phone_sdp.ts";

export interface PhoneMediaOptions {
  readonly address: string;
  readonly codecs: readonly (readonly [number, string])[];
  readonly keys?: boolean;
}

/** How a phone describes itself, with a new version each time. */
export class PhoneMedia {
  readonly #options: PhoneMediaOptions;
  #version = 0;

  constructor(options: PhoneMediaOptions) {
    this.#options = options;
  }

  describe(direction: string): string {
    const { address, codecs, keys = false } = this.#options;
    return writePhoneSdp({
      address,
      port: 4000,
      direction,
      codecs,
      keys,
      version: ++this.#version,
    });
  }

  /** An answer with our own numbers, as phones may (RFC 3264 6.1); undefined where nothing fits. */
  answer(call: PhoneCall, offer: PhoneSdp & { readonly lines: number }): string | undefined {
    const own = new Map(this.#options.codecs.map(([type, name]) => [name, type]));
    const common = offer.codecs.flatMap(([, name]) =>
      own.has(name) ? [[own.get(name)!, name] as const] : []
    );
    if (!common.some(([, name]) => !name.startsWith("telephone"))) return undefined;
    call.codec = common[0]![1];
    const turned: Record<string, string> = { sendonly: "recvonly", recvonly: "sendonly" };
    call.isHeld = offer.direction === "sendonly" || offer.direction === "inactive";
    const text = writePhoneSdp({
      address: this.#options.address,
      port: 4000,
      direction: turned[offer.direction] ?? offer.direction,
      codecs: common,
      keys: offer.keys ?? false,
      version: ++this.#version,
    });
    return text + "m=video 0 RTP/AVP 96\r\n".repeat(offer.lines - 1);
  }
}
