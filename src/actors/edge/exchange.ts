import type { EndpointToken } from "../../core/ids.ts";
import type { SipMessage, SipResponse } from "../../sip/message/mod.ts";

/** Where a message of an anchor comes from: an element of ours, or the far end of the flow. */
export type Side = "inner" | "wire";

export function other(side: Side): Side {
  return side === "inner" ? "wire" : "inner";
}

/** A description that was put over, kept so that a repeated message says the same again. */
export interface Translated {
  readonly body: string;
  /** Puts an answer to work; an offer has none. `isFinal`: by a 2xx or ACK. */
  readonly agree?: (isFinal: boolean) => void;
}

/** One request of the dialog that may carry a description, and what it has come to (RFC 3264). */
export interface Exchange {
  readonly requester: Side;
  readonly sequence: number;
  readonly method: string;
  hasOffer: boolean;
  /** The offer came in a response (RFC 3261 13.2.1): ACK or PRACK answers. */
  isOfferedBack: boolean;
  /** Whose media the inner side's description is. */
  innerToken: EndpointToken | undefined;
  /** Our own final answer: repeated for a repeated request, and its ACK goes no further. */
  refusal: SipResponse | undefined;
  readonly translated: Map<string, Translated>;
}

/** What a description is in its exchange. */
export interface Role {
  readonly exchange: Exchange;
  readonly kind: "offer" | "answer";
}

/** Exchanges that are remembered; a repetition of an older one is not expected any more. */
const MAX_EXCHANGES = 8;
/** Different descriptions remembered of one exchange: forks, early and final answers. */
const MAX_TRANSLATED = 16;

/** Offers and answers of one dialog by the requests that carry them. */
export class Exchanges {
  readonly #exchanges = new Map<string, Exchange>();

  find(requester: Side, sequence: number): Exchange | undefined {
    return this.#exchanges.get(`${requester} ${sequence}`);
  }

  /** The exchange of this request; a new one where it is new. */
  of(requester: Side, sequence: number, method: string): Exchange {
    const known = this.find(requester, sequence);
    if (known) return known;
    const exchange: Exchange = {
      requester,
      sequence,
      method,
      hasOffer: false,
      isOfferedBack: false,
      innerToken: undefined,
      refusal: undefined,
      translated: new Map(),
    };
    this.#exchanges.set(`${requester} ${sequence}`, exchange);
    if (this.#exchanges.size > MAX_EXCHANGES) {
      const oldest = this.#exchanges.keys().next();
      if (!oldest.done) this.#exchanges.delete(oldest.value);
    }
    return exchange;
  }

  /**
   * What a description in this message is; undefined where none belongs there. Notes what the
   * message makes of its exchange.
   */
  roleOf(side: Side, message: SipMessage): Role | undefined {
    const { method, sequence } = message.cseq;
    if (message.kind === "request") return this.#ofRequest(side, method, sequence);
    const exchange = this.find(other(side), sequence);
    if (!exchange || exchange.method !== method || message.status >= 300) return undefined;
    if (exchange.hasOffer) return { exchange, kind: "answer" };
    if (method !== "INVITE") return undefined;
    exchange.isOfferedBack = true;
    return { exchange, kind: "offer" };
  }

  #ofRequest(side: Side, method: string, sequence: number): Role | undefined {
    switch (method) {
      case "INVITE":
      case "UPDATE": {
        const exchange = this.of(side, sequence, method);
        exchange.hasOffer = true;
        return { exchange, kind: "offer" };
      }
      case "ACK": {
        const exchange = this.find(side, sequence);
        return exchange?.isOfferedBack ? { exchange, kind: "answer" } : undefined;
      }
      case "PRACK": {
        const invite = [...this.#exchanges.values()].find((exchange) =>
          exchange.requester === side && exchange.isOfferedBack && exchange.method === "INVITE"
        );
        if (invite) return { exchange: invite, kind: "answer" };
        const exchange = this.of(side, sequence, method);
        exchange.hasOffer = true;
        return { exchange, kind: "offer" };
      }
      default:
        return undefined;
    }
  }
}

/** Remembers a translation under the words that it came from. */
export function remember(exchange: Exchange, key: string, translated: Translated): void {
  if (exchange.translated.size >= MAX_TRANSLATED) {
    const oldest = exchange.translated.keys().next();
    if (!oldest.done) exchange.translated.delete(oldest.value);
  }
  exchange.translated.set(key, translated);
}
