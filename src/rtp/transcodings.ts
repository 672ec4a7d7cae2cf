import type { EndpointToken } from "../core/ids.ts";
import { DEFAULT_DELAY, type TranscoderSide } from "./codec/contract.ts";
import type { TranscoderEvent, TranscoderHandle } from "./codec/pool.ts";
import type { PayloadKind, SocketAddress } from "./contract.ts";
import type { PoolEndpoint, PoolEvent, PoolPlain, PoolTranscoding } from "./pool_endpoint.ts";
import type { PoolOptions } from "./pool_options.ts";
import type { TranscodedSide, TranscodedSides } from "./rtp_media_port.ts";

/** What transcodings need of the pool that holds the endpoints. */
export interface TranscodingPorts {
  /** Opens a plain hop in the worker of `near`. */
  open(label: string, near: EndpointToken, plain: PoolPlain): PoolEndpoint;
  close(endpoint: PoolEndpoint): void;
  /** Tells the worker the hop's payload types and remote. */
  update(endpoint: PoolEndpoint): void;
  /** Joins the endpoint and all that are joined with it anew. */
  relink(endpoint: PoolEndpoint): void;
  tell(endpoint: PoolEndpoint, event: PoolEvent): void;
}

interface Live extends PoolTranscoding {
  readonly sides: TranscodedSides;
  readonly places: { near: SocketAddress | null; far: SocketAddress | null };
  handle: TranscoderHandle | null;
}

const CLOCK_RATE = { "OPUS": 48_000, "SPEEX/16000": 16_000 } as const;

/**
 * Transcoders between endpoints: two plain hops over loopback, one beside the endpoint and one
 * beside whatever it is joined with, and a transcoder of a codec worker between them.
 *
 *     endpoint <-> near <-UDP-> codec worker <-UDP-> far <-> peer
 */
export class Transcodings {
  readonly #options: PoolOptions;
  readonly #ports: TranscodingPorts;
  readonly #live = new Map<PoolEndpoint, Live>();

  constructor(options: PoolOptions, ports: TranscodingPorts) {
    this.#options = options;
    this.#ports = ports;
  }

  get size(): number {
    return this.#live.size;
  }

  /** Puts a transcoder beside the endpoint, another one, or none. */
  set(endpoint: PoolEndpoint, sides: TranscodedSides | null): void {
    const before = this.#live.get(endpoint);
    if (before === undefined && sides === null) return;
    if (before && sides && JSON.stringify(before.sides) === JSON.stringify(sides)) return;
    if (before) this.#close(endpoint, before);
    if (sides) this.#open(endpoint, sides);
    if (endpoint.state !== "closed") this.#ports.relink(endpoint);
  }

  #open(endpoint: PoolEndpoint, sides: TranscodedSides): void {
    const places: Live["places"] = { near: null, far: null };
    const hop = (which: "near" | "far", side: TranscodedSide) =>
      this.#ports.open(`${endpoint.label}, ${which} hop`, endpoint.token, {
        isSingle: which === "far" && endpoint.rtp !== null,
        payloads: payloadsOf(side, sides.passed),
        remote: null,
        onOpened: (local) => {
          places[which] = local;
          this.#start(endpoint);
        },
        onGone: (text) => this.#fail(endpoint, text),
      });
    const live: Live = {
      sides,
      places,
      handle: null,
      near: hop("near", sides.own),
      far: hop("far", sides.peer),
    };
    this.#live.set(endpoint, live);
    endpoint.transcoding = live;
  }

  /** Both hops are open: the transcoder between them. */
  #start(endpoint: PoolEndpoint): void {
    const live = this.#live.get(endpoint);
    if (!live || live.handle) return;
    const { places: { near, far }, sides } = live;
    if (!near || !far) return;
    const { codecs } = this.#options;
    if (!codecs) return this.#fail(endpoint, "there are no codec workers");
    const passed = sides.passed.map(({ payloadType }) => payloadType);
    live.handle = codecs.open(
      { a: this.#drawn(sides.own), b: this.#drawn(sides.peer), ...DEFAULT_DELAY },
      (event) => this.#onEvent(endpoint, live, event),
      { a: near, b: far, passed },
    );
  }

  #onEvent(endpoint: PoolEndpoint, live: Live, event: TranscoderEvent): void {
    if (this.#live.get(endpoint) !== live) return;
    switch (event.type) {
      case "placed":
        for (const hop of [live.near, live.far]) {
          if (hop.plain) hop.plain.remote = event.local;
          this.#ports.update(hop);
        }
        return;
      case "statistics": {
        const { worker, fromA: fromOwn, fromB: fromPeer } = event;
        const statistics = { worker, fromOwn, fromPeer };
        return this.#ports.tell(endpoint, { type: "transcoding", statistics });
      }
      case "failed":
        return this.#fail(endpoint, event.text);
      case "packet":
        return;
    }
  }

  /** The endpoint itself lives, but nobody hears anybody any more. */
  #fail(endpoint: PoolEndpoint, text: string): void {
    const live = this.#live.get(endpoint);
    if (!live) return;
    this.#close(endpoint, live);
    this.#options.log("error", `a transcoder of ${endpoint.label} is gone`, { text });
    this.#ports.tell(endpoint, { type: "lost", text: `its transcoder is gone: ${text}` });
  }

  #close(endpoint: PoolEndpoint, live: Live): void {
    this.#live.delete(endpoint);
    endpoint.transcoding = null;
    live.handle?.close();
    this.#ports.close(live.near);
    this.#ports.close(live.far);
  }

  /** RFC 3550 5.1: first values by chance. */
  #drawn(side: TranscodedSide): TranscoderSide {
    const { entropy } = this.#options;
    const draw = () => new DataView(entropy.bytes(4).buffer).getUint32(0);
    return {
      ...side,
      ssrc: side.ssrc ?? draw(),
      // The first half, so that a receiver that comes late misses no turn of the counter.
      firstSequence: draw() & 0x7fff,
      firstTimestamp: draw(),
    };
  }
}

/** What comes over a hop out of the codec worker. */
function payloadsOf(side: TranscodedSide, passed: TranscodedSides["passed"]): PayloadKind[] {
  const { codec, payloadType, telephoneEvent, comfortNoise } = side;
  const [name = codec] = codec.split("/");
  const clockRate = codec === "OPUS" || codec === "SPEEX/16000" ? CLOCK_RATE[codec] : 8_000;
  const audio = (type: number, what: string, rate: number): PayloadKind => ({
    payloadType: type,
    kind: "audio",
    codec: what,
    clockRate: rate,
  });
  return [
    audio(payloadType, name, clockRate),
    ...(telephoneEvent
      ? [audio(telephoneEvent.payloadType, "telephone-event", telephoneEvent.clockRate)]
      : []),
    ...(comfortNoise === null ? [] : [audio(comfortNoise, "CN", 8_000)]),
    ...passed,
  ];
}
