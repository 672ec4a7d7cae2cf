import type { Codec, CodecName } from "../../src/rtp/codec/codec.ts";
import {
  createResponse,
  type SipMessage,
  type SipRequest,
  type SipResponse,
} from "../../src/sip/message/mod.ts";
import { HIGH_HERTZ } from "./browser.ts";
import { CodecPhone, codecsHere } from "./codec_phone.ts";
import type { Lab } from "./lab.ts";
import { SipPeer } from "./sip_peer.ts";
import { VideoEcho, type VideoEchoOptions } from "./video_echo.ts";

let lastAccount = 1000;

/** A registered phone that knows one codec: it answers what rings, holds when it is held. */
export class WirePhone implements AsyncDisposable {
  readonly media: CodecPhone;
  readonly sip: SipPeer;
  /** Descriptions that it was given, in their order. */
  readonly told: string[] = [];
  isOver = false;
  /** The Allow header of its answers to INVITE; "" is none. */
  allow = "";
  readonly #tag = crypto.randomUUID();

  private constructor(sip: SipPeer, media: CodecPhone, readonly video: VideoEcho | undefined) {
    this.sip = sip;
    this.media = media;
    sip.onRequest = (request) => void this.#take(request);
  }

  static async register(
    lab: Pick<Lab, "sipPort">,
    user: string,
    codec: Codec,
    hertz: number,
    video?: VideoEcho,
  ): Promise<WirePhone> {
    const target = { transport: "UDP", host: "127.0.0.1", port: lab.sipPort } as const;
    const sip = await SipPeer.open(user, target);
    const { status } = await sip.register();
    if (status !== 200) throw new Error(`${user} could not register: ${status}`);
    return new WirePhone(sip, new CodecPhone(codec, hertz), video);
  }

  /** Of an account that no other has had, with the high tone. */
  static async withCodec(
    lab: Pick<Lab, "sipPort">,
    name: CodecName,
    video?: VideoEchoOptions,
  ): Promise<WirePhone> {
    const codec = (await codecsHere()).get(name);
    if (codec === undefined) throw new Error(`there is no ${name} here`);
    const echo = video && new VideoEcho(video);
    return await WirePhone.register(lab, String(++lastAccount), codec, HIGH_HERTZ, echo);
  }

  /** Calls, and talks when it is answered; gives the final response. */
  async call(user: string): Promise<SipResponse> {
    const invite = this.sip.request("INVITE", `sip:${user}@localhost`);
    const offer = this.media.sdp + (this.video?.offer ?? "");
    const response = await this.sip.ask(withSdp(invite, offer));
    if (response.status === 200) {
      await this.sip.ack(invite, response);
      this.#hear(response);
    }
    return response;
  }

  /** What the audio m-line of the last description says. */
  get types(): string[] {
    return /^m=audio \d+ \S+ (.*)$/m.exec(this.told.at(-1) ?? "")?.[1]?.trim().split(" ") ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.media[Symbol.asyncDispose]();
    await this.video?.[Symbol.asyncDispose]();
    await this.sip[Symbol.asyncDispose]();
  }

  async #take(request: SipRequest): Promise<void> {
    if (request.method === "ACK") return;
    const toTag = this.#tag;
    const response = createResponse(request, 200, undefined, { toTag, recordRoute: true });
    if (request.method === "INVITE") {
      response.headers.set("Contact", `<${this.sip.contact}>`);
      if (this.allow !== "") response.headers.set("Allow", this.allow);
      this.#hear(request);
      const isHeld = /^a=(sendonly|inactive)/m.test(this.told.at(-1) ?? "");
      const sdp = isHeld ? this.media.sdp.replace("a=sendrecv", "a=recvonly") : this.media.sdp;
      withSdp(response, sdp + this.#videoAnswer());
    }
    if (request.method === "BYE") this.isOver = true;
    if (request.method === "INFO") this.video?.askKeyFrame();
    await this.sip.send(response);
  }

  /** A phone without video refuses it. */
  #videoAnswer(): string {
    const offer = this.told.at(-1) ?? "";
    if (this.video) return this.video.answerTo(offer);
    return /^m=video/m.test(offer) ? "m=video 0 RTP/AVP 0\r\n" : "";
  }

  #hear(message: SipMessage): void {
    const text = new TextDecoder().decode(message.body);
    this.told.push(text);
    const port = Number(/^m=audio (\d+) /m.exec(text)?.[1]);
    if (port > 0) this.media.play(port);
  }
}

function withSdp<M extends SipMessage>(message: M, sdp: string): M {
  message.headers.set("Content-Type", "application/sdp");
  message.body = new TextEncoder().encode(sdp);
  return message;
}
