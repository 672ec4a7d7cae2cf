import type { Entropy } from "../../core/entropy.ts";
import type { EndpointToken } from "../../core/ids.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { EndpointStatistics } from "../../rtp/media_port.ts";
import type {
  LocalRtp,
  RemoteRtp,
  RtpEndpointEvent,
  RtpEndpointHandle,
  RtpMediaPort,
  TranscodedSides,
  TranscodingStatistics,
} from "../../rtp/rtp_media_port.ts";
import * as sdp from "../../sdp/mod.ts";
import type { WireMediaView } from "./contract.ts";
import { transcodedSides, transcodingView } from "./transcoded.ts";
import {
  type Described,
  nothing,
  placeOf,
  type WireMedia,
  type WireMediaEvent,
} from "./wire_media.ts";

export interface PhoneMediaOptions {
  /** Of an endpoint that `open` opens once it is needed; absent: it is opened at once. */
  readonly token?: EndpointToken;
  readonly rtp: RtpMediaPort;
  readonly entropy: Entropy;
  readonly profile: sdp.PhoneProfile;
  /** Codecs between which calls can be transcoded. */
  readonly transcodable: ReadonlySet<string>;
  readonly kinds: readonly ("audio" | "video")[];
  readonly near: EndpointToken | undefined;
  readonly towards: string;
  readonly label: string;
  /** Keeps the far end's own words, for media that passes by us. */
  readonly keep: (version: number, text: string) => void;
  /** Why packets may not be sent there, in words. */
  readonly refuseRemote: (places: readonly string[]) => string | undefined;
  readonly onEvent: (event: WireMediaEvent) => void;
}

const IP = /^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$/;

/** RTP, or SRTP with SDES keys, on ports of its own. */
export class PhoneMedia implements WireMedia {
  readonly kind = "rtp";
  readonly #options: PhoneMediaOptions;
  readonly token: EndpointToken;
  #endpoint: RtpEndpointHandle | null = null;
  readonly #keys = new Map<string, sdp.SdesKey>();
  readonly #means: sdp.PhoneMeans;
  readonly #sessionId: string;
  #local: readonly LocalRtp[] = [];
  #worker: number | null = null;
  #agreed: readonly sdp.PhoneSection[] = [];
  #offeredOut: readonly sdp.PhoneSection[] = [];
  #offeredIn: readonly sdp.PhoneSection[] = [];
  #version = 0;
  #innerVersion = 0;
  #isFlowing = true;
  #latched: string | null = null;
  #statistics: EndpointStatistics | null = null;
  #sides: TranscodedSides | null = null;
  #transcoding: TranscodingStatistics | null = null;

  constructor(options: PhoneMediaOptions) {
    const { near, kinds, entropy, transcodable } = options;
    this.#options = options;
    this.#sessionId = String(new DataView(entropy.bytes(4).buffer).getUint32(0));
    this.#means = { kinds, transcodable, key: (kind, suite) => this.#key(kind, suite) };
    this.token = options.token ?? this.#open(near).token;
  }

  /** Whether descriptions can be made that name ports of ours. */
  get hasEndpoint(): boolean {
    return this.#endpoint !== null;
  }

  /** Opens the endpoint, in the worker of the one that it is to be joined with. */
  open(near: EndpointToken | undefined): void {
    if (!this.#endpoint) this.#open(near);
  }

  /** Where packets for this endpoint are sent. */
  get places(): string[] {
    return this.#local.map(({ address, port }) => placeOf(address, port));
  }

  /** Where the packets of this endpoint go. */
  get remotePlaces(): string[] {
    return placesOf(this.#agreed);
  }

  offerOut(abstract: sdp.Sdp): Result<string, sdp.SdpFault> {
    const offer = sdp.offerToPhone(abstract, this.#agreed, this.#options.profile, this.#means);
    if (!offer.ok) return offer;
    this.#offeredOut = offer.value;
    return ok(this.#write(offer.value, abstract.extraLines));
  }

  answerIn(text: string): Described {
    const answer = sdp.answerOfPhone(this.#offeredOut, text);
    const fault = answer.ok ? this.#checkRemote(answer.value) : answer.error;
    const sections = answer.ok && !fault
      ? answer.value
      : this.#offeredOut.map((section) => ({ ...section, rejected: true }));
    return this.#described(this.#toInner(sections, text), sections, fault);
  }

  offerIn(text: string): Result<string, sdp.SdpFault> {
    const { kinds, profile, transcodable } = this.#options;
    const { srtpRequired = false, codecs, takesOnlyCodecs = false } = profile;
    const only = takesOnlyCodecs && codecs ? { codecs } : {};
    const offer = sdp.offerOfPhone(text, this.#agreed, kinds, {
      srtpRequired,
      transcodable,
      mayPass: !this.hasEndpoint,
      ...only,
    });
    if (!offer.ok) return offer;
    const fault = this.#checkRemote(offer.value);
    if (fault) return err(fault);
    this.#offeredIn = offer.value;
    return ok(this.#toInner(offer.value, text));
  }

  answerOut(abstract: sdp.Sdp): Described {
    const answer = sdp.answerToPhone(this.#offeredIn, abstract, this.#means);
    // Our ports may be younger than the offer, which may have guessed them.
    const fault = this.#options.token === undefined ? undefined : this.#checkRemote(answer);
    const sections = fault ? answer.map((section) => ({ ...section, rejected: true })) : answer;
    return this.#described(this.#write(sections, []), sections, fault);
  }

  connect(peer: EndpointToken): void {
    this.#endpoint?.connect(peer);
  }

  requestKeyFrame(): void {
    this.#endpoint?.requestKeyFrame();
  }

  /** Whether the far end hears telephone-events. */
  get takesDtmf(): boolean {
    return this.#agreed.some(({ kind, rejected, pairs }) =>
      kind === "audio" && !rejected &&
      pairs.some(({ wire }) => wire.name.toLowerCase() === "telephone-event")
    );
  }

  /** RFC 4733 events towards the far end, one after the other. */
  sendDtmf(digits: string, durationMs: number): void {
    this.#endpoint?.sendDtmf(digits, durationMs);
  }

  close(): void {
    this.#endpoint?.close();
  }

  #open(near: EndpointToken | undefined): RtpEndpointHandle {
    const { rtp, token, label, towards, kinds: media } = this.#options;
    const place = { ...(near === undefined ? {} : { near }), ...(token ? { token } : {}) };
    const endpoint = rtp.openRtp(
      { ...place, label, towards, media },
      (event) => this.#onEvent(event),
    );
    this.#endpoint = endpoint;
    return endpoint;
  }

  view(): WireMediaView {
    const live = this.#agreed.filter((section) => !section.rejected);
    const local = this.#local[0];
    return {
      kind: "rtp",
      codecs: live.flatMap((section) => section.pairs[0]?.wire.name ?? []),
      remoteAddress: this.#latched ?? this.remotePlaces[0] ?? null,
      localAddress: local ? placeOf(local.address, local.port) : null,
      worker: this.#worker,
      isSecure: live.length > 0 && live.every((section) => section.theirs !== undefined),
      isHeld: live.length > 0 && live.every((section) => section.direction !== "sendrecv"),
      transcoding: this.#sides && transcodingView(this.#sides, this.#transcoding),
      statistics: this.#statistics,
    };
  }

  #described(
    text: string,
    sections: readonly sdp.PhoneSection[],
    fault: sdp.SdpFault | undefined,
  ): Described {
    if (sections.every((section) => section.rejected)) {
      const none: sdp.SdpFault = { reason: "no_common_codec", text: "nothing was accepted" };
      return { text, fault: fault ?? none, commit: nothing };
    }
    return { text, commit: () => this.#commit(sections) };
  }

  #commit(sections: readonly sdp.PhoneSection[]): void {
    if (this.#agreed === sections) return;
    const before = this.#agreed;
    this.#agreed = sections;
    this.#sides = transcodedSides(sections);
    this.#endpoint?.setRemote(this.#options.kinds.map((kind) => {
      const index = sections.findIndex((section) => section.kind === kind && !section.rejected);
      const section = sections[index];
      return section ? this.#remoteOf(section, before[index]) : null;
    }));
    this.#endpoint?.transcode(this.#sides);
    const flowing = sdp.isFlowing(sections);
    if (flowing === this.#isFlowing) return;
    this.#isFlowing = flowing;
    this.#endpoint?.setFlowing(flowing);
  }

  #remoteOf(section: sdp.PhoneSection, before: sdp.PhoneSection | undefined): RemoteRtp | null {
    const { remote, theirs, ours } = section;
    if (!remote) return null;
    const said = [remote.address, before?.remote?.address ?? ""]
      .find((address) => !sdp.isNowhere(address) && IP.test(address));
    const own = ours[0];
    const isOwn = section.kind === "audio" && this.#sides !== null;
    return {
      // A name, or none: packets go where the signalling goes until the first one comes back.
      address: said ?? this.#options.towards,
      port: remote.port,
      rtcpPort: section.rtcpMux ? null : remote.rtcpPort,
      keys: theirs && own ? { receive: keyOf(theirs), send: keyOf(own) } : null,
      payloads: section.pairs.filter(({ only }) => only !== "inner").map(({ wire, inner }) => ({
        payloadType: wire.payloadType,
        codec: wire.name,
        clockRate: wire.clockRate,
        // A transcoder hears the far end's own numbers.
        ...(isOwn || wire.payloadType === inner.payloadType
          ? {}
          : { peerPayloadType: inner.payloadType }),
      })),
      hasFeedback: sdp.hasFeedback(section),
      wantsFir: sdp.wantsFir(section),
    };
  }

  #checkRemote(sections: readonly sdp.PhoneSection[]): sdp.SdpFault | undefined {
    const text = this.#options.refuseRemote(placesOf(sections));
    return text === undefined ? undefined : { reason: "unsupported", text };
  }

  #write(sections: readonly sdp.PhoneSection[], extraLines: readonly string[]): string {
    const version = ++this.#version;
    const { kinds } = this.#options;
    const local = this.#local.filter(({ kind }) => kinds.includes(kind));
    return sdp.writePhone({ sessionId: this.#sessionId, version, sections, local, extraLines });
  }

  #toInner(sections: readonly sdp.PhoneSection[], text: string): string {
    const version = ++this.#innerVersion;
    this.#options.keep(version, text);
    const mayPass = !this.hasEndpoint;
    return sdp.abstractOfPhone(sections, { token: this.token, version, mayPass });
  }

  #key(kind: string, suite: sdp.SdesSuite): sdp.SdesKey {
    const name = `${kind} ${suite}`;
    const key = this.#keys.get(name) ??
      { suite, material: this.#options.entropy.bytes(sdp.SDES_BYTES) };
    this.#keys.set(name, key);
    return key;
  }

  #onEvent(event: RtpEndpointEvent): void {
    switch (event.type) {
      case "opened":
        this.#local = event.local;
        this.#worker = event.worker;
        return this.#options.onEvent({ type: "opened" });
      case "latched":
        if (this.#latched === null || event.kind === "audio") this.#latched = event.address;
        return;
      case "statistics":
        this.#statistics = event.statistics;
        return;
      case "transcoding":
        this.#transcoding = event.statistics;
        return;
      default:
        return this.#options.onEvent(event);
    }
  }
}

function keyOf({ suite, material }: sdp.SdesKey): sdp.SdesKey {
  return { suite, material };
}

function placesOf(sections: readonly sdp.PhoneSection[]): string[] {
  return sections.flatMap(({ rejected, remote }) =>
    rejected || !remote || sdp.isNowhere(remote.address)
      ? []
      : [placeOf(remote.address, remote.port)]
  );
}
