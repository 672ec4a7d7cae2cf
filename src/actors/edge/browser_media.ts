import type { EndpointToken } from "../../core/ids.ts";
import { ok, type Result } from "../../core/result.ts";
import type {
  EndpointEvent,
  EndpointHandle,
  EndpointStatistics,
  LocalTransport,
  MediaPort,
} from "../../rtp/media_port.ts";
import type { TranscodedSides, TranscodingStatistics } from "../../rtp/rtp_media_port.ts";
import * as sdp from "../../sdp/mod.ts";
import { BrowserCodecs, sidesOf } from "./browser_codecs.ts";
import type { WireMediaView } from "./contract.ts";
import { transcodingView } from "./transcoded.ts";
import { type Described, nothing, type WireMedia, type WireMediaEvent } from "./wire_media.ts";

export interface BrowserMediaOptions {
  readonly webrtc: MediaPort;
  readonly near: EndpointToken | undefined;
  readonly label: string;
  /** Codecs between which calls can be transcoded. */
  readonly transcodable: () => ReadonlySet<string>;
  readonly onEvent: (event: WireMediaEvent) => void;
}

/** SRTP by DTLS with ICE: a SIP client inside a browser (RFC 7118, RFC 8834). */
export class BrowserMedia implements WireMedia {
  readonly kind = "webrtc";
  readonly #endpoint: EndpointHandle;
  readonly #onEvent: (event: WireMediaEvent) => void;
  #local: LocalTransport | null = null;
  #worker: number | null = null;
  /** Abstract offers that wait for the browser's answer, and the browser's that wait for ours. */
  #offeredOut: sdp.Sdp | null = null;
  #offeredIn: sdp.Sdp | null = null;
  #offeredRemote: sdp.RemoteTransport | null = null;
  #remote: sdp.RemoteTransport | null = null;
  /** ICE credentials that the browser named last. */
  #theirs = "";
  /** The names of the m-lines, which a browser never lets change. */
  #mids: readonly (string | undefined)[] = [];
  readonly #audio: BrowserCodecs;
  /** The transcoder between the browser and whoever it talks with. */
  #sides: TranscodedSides | null = null;
  #transcoding: TranscodingStatistics | null = null;
  #codecs: readonly string[] = [];
  #isHeld = false;
  #version = 0;
  #remoteAddress: string | null = null;
  #statistics: EndpointStatistics | null = null;

  constructor(options: BrowserMediaOptions) {
    const { webrtc, near, label, onEvent, transcodable } = options;
    this.#onEvent = onEvent;
    this.#audio = new BrowserCodecs(transcodable);
    this.#endpoint = webrtc.open(
      { kind: "webrtc", label, ...(near === undefined ? {} : { near }) },
      (event) => this.#onEndpoint(event),
    );
  }

  get token(): EndpointToken {
    return this.#endpoint.token;
  }

  offerOut(abstract: sdp.Sdp): Result<string, sdp.SdpFault> {
    const wide = this.#audio.offer(abstract);
    const media = wide.media.map((section, index) => ({
      ...section,
      mid: this.#mids[index] ?? section.mid,
    }));
    const offer = sdp.browserOffer({ ...wide, media }, this.#transport());
    if (!offer.ok) return offer;
    const said = sdp.parseSdp(offer.value);
    if (!said.ok) return said;
    // The answer is matched with what stands inside the process, under the mids that were offered.
    this.#offeredOut = {
      ...abstract,
      media: abstract.media.map((section, i) => ({ ...section, mid: said.value.media[i]?.mid })),
    };
    return ok(sdp.withVersion(offer.value, ++this.#version));
  }

  answerIn(text: string): Described {
    const offer = this.#offeredOut;
    const answer = sdp.parseSdp(text);
    if (!offer || !answer.ok) {
      return this.#nothing(offer, answer.ok ? unexpected() : answer.error);
    }
    const remote = sdp.checkBrowserDescription(answer.value);
    if (!remote.ok) return this.#nothing(offer, remote.error);
    const settled = this.#audio.settle(answer.value);
    const body = sdp.abstractAnswer(offer, settled.answer, this.token);
    if (!body.ok) return this.#nothing(offer, body.error);
    const commit = () => {
      this.#audio.agree(settled.pairs, answer.value);
      const sides = sidesOf(settled.pairs, offer, answer.value, body.value);
      this.#commit(answer.value, remote.value, body.value, sides);
      if (sides) this.#codecs = sdp.firstCodecs(answer.value);
    };
    return { text: body.value, commit };
  }

  offerIn(text: string): Result<string, sdp.SdpFault> {
    const offer = sdp.parseSdp(text);
    if (!offer.ok) return offer;
    const remote = sdp.checkBrowserDescription(offer.value);
    if (!remote.ok) return remote;
    this.#offeredIn = offer.value;
    this.#offeredRemote = remote.value;
    this.#followRestart(remote.value);
    return ok(sdp.abstractOffer(this.#audio.offerIn(offer.value), this.token));
  }

  answerOut(abstract: sdp.Sdp): Described {
    const offer = this.#offeredIn;
    const remote = this.#offeredRemote;
    if (!offer || !remote) return this.#nothing(abstract, unexpected());
    const answer = sdp.browserAnswer(offer, this.#audio.answerOut(abstract), this.#transport());
    if (!answer.ok) return this.#nothing(offer, answer.error);
    const text = sdp.withVersion(answer.value, ++this.#version);
    return { text, commit: () => this.#commit(offer, remote, text, this.#sides) };
  }

  connect(peer: EndpointToken): void {
    this.#endpoint.connect(peer);
  }

  requestKeyFrame(): void {
    this.#endpoint.requestKeyFrame();
  }

  close(): void {
    this.#endpoint.close();
  }

  view(): WireMediaView {
    const local = this.#local?.candidates[0];
    return {
      kind: "webrtc",
      codecs: this.#codecs,
      remoteAddress: this.#remoteAddress,
      localAddress: local ? `${local.address}:${local.port}` : null,
      worker: this.#worker,
      isSecure: true,
      isHeld: this.#isHeld,
      transcoding: this.#sides && transcodingView(this.#sides, this.#transcoding),
      statistics: this.#statistics,
    };
  }

  /** New credentials in an offer restart ICE, which ours have to follow (RFC 8839 4.4.1.1.1). */
  #followRestart({ iceUfrag, icePwd }: sdp.RemoteTransport): void {
    const credentials = `${iceUfrag} ${icePwd}`;
    if (this.#local && this.#theirs !== "" && this.#theirs !== credentials) {
      this.#local = { ...this.#local, ...this.#endpoint.restartIce() };
    }
    this.#theirs = credentials;
  }

  #commit(
    said: sdp.Sdp,
    remote: sdp.RemoteTransport,
    agreed: string,
    sides: TranscodedSides | null,
  ): void {
    this.#mids = said.media.map((section) => section.mid);
    const parsed = sdp.parseSdp(agreed);
    if (parsed.ok) {
      this.#codecs = sdp.firstCodecs(parsed.value);
      const direction = sdp.directionOf(parsed.value);
      this.#isHeld = direction !== "sendrecv";
      this.#audio.keep(parsed.value);
    }
    if (this.#remote === remote) return;
    this.#remote = remote;
    this.#theirs = `${remote.iceUfrag} ${remote.icePwd}`;
    const { payloads } = remote;
    this.#endpoint.setRemote(
      sides ? { ...remote, payloads: [...payloads, ...sides.passed] } : remote,
    );
    if (sides === this.#sides) return;
    this.#sides = sides;
    this.#endpoint.transcode(sides);
  }

  /** An answer that takes nothing. */
  #nothing(offer: sdp.Sdp | null, fault: sdp.SdpFault): Described {
    const lines = (offer?.media ?? []).map((section) =>
      `m=${section.type} 0 ${section.protocol} ${
        section.formats === "" ? "0" : section.formats
      }\r\n`
    );
    const head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n";
    return { text: `${head}${lines.join("")}`, fault, commit: nothing };
  }

  #transport(): LocalTransport {
    if (!this.#local) throw new Error("a description was made before its endpoint was open");
    return this.#local;
  }

  #onEndpoint(event: EndpointEvent): void {
    switch (event.type) {
      case "opened":
        this.#local = event.local;
        this.#worker = event.worker;
        return this.#onEvent({ type: "opened" });
      case "failed":
      case "lost":
      case "silent":
        return this.#onEvent(event);
      case "ice":
        this.#remoteAddress = event.remoteAddress ?? this.#remoteAddress;
        return;
      case "transcoding":
        this.#transcoding = event.statistics;
        return;
      case "statistics":
        this.#statistics = event.statistics;
        return;
      default:
        return;
    }
  }
}

function unexpected(): sdp.SdpFault {
  return { reason: "malformed", text: "an answer came to which there was no offer" };
}
