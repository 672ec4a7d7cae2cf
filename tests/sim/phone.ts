import type { FlowId } from "../../src/core/ids.ts";
import { Dialog } from "../../src/sip/dialog/dialog.ts";
import { createInvite, createRegister } from "../../src/sip/dialog/requests.ts";
import type { Flow, SipTransport } from "../../src/sip/flow.ts";
import { createResponse, type SipRequest, type SipResponse } from "../../src/sip/message/mod.ts";
import type { ServerTransactionId, StackOutput } from "../../src/sip/stack.ts";
import { readReplaces } from "../../src/sip/user_agent/replaces.ts";
import type { EdgeWorld } from "./edge_world.ts";
import { newCall, type PhoneCall } from "./phone_call.ts";
import { PhoneMedia, type PhoneMediaOptions } from "./phone_media.ts";
import { PhoneRequests } from "./phone_requests.ts";
import { readPhoneSdp } from "./phone_sdp.ts";

export type { PhoneCall } from "./phone_call.ts";

export interface PhoneOptions extends PhoneMediaOptions {
  readonly user: string;
  readonly transport: SipTransport;
  readonly password?: string;
  /** Methods that it says it takes; absent: it says nothing. */
  readonly allow?: string;
  /** Session-Expires of its 2xx (RFC 4028); absent: it knows no session timers. */
  readonly sessionExpires?: string;
  /** Offers in its 2xx and INVITEs without a description. */
  readonly lateOffer?: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const SDP = "application/sdp";

/** A SIP phone on a wire: a transaction layer, dialogs, and a person who decides by the seed. */
export class SimPhone {
  readonly flow: Flow;
  readonly calls = new Map<string, PhoneCall>();
  readonly contact: string;
  readonly options: PhoneOptions;
  registered = false;
  onIncoming: (call: PhoneCall) => void = () => {};
  /** Status of what else comes inside a dialog; OPTIONS are answered before. */
  onOther: (request: SipRequest, call: PhoneCall | undefined) => number = () => 405;
  /** Status for re-INVITEs; 0: they are taken. */
  refusesOffers = 0;
  /** re-INVITEs that have come. */
  reoffers = 0;
  /** OPTIONS that have come. */
  pings = 0;
  /** Somebody has pulled the plug: nothing is heard or said any more. */
  isDead = false;
  readonly world: EdgeWorld;
  readonly #requests: PhoneRequests;
  readonly #media: PhoneMedia;
  #sequence = 0;

  constructor(world: EdgeWorld, options: PhoneOptions) {
    this.world = world;
    this.options = options;
    const { user, address, transport, password = "1234" } = options;
    this.contact = `sip:${user}-${address.split(".").at(-1)}@${address}:5060` +
      (transport === "UDP" ? "" : `;transport=${transport.toLowerCase()}`);
    this.flow = {
      id: `${transport}:${address}` as FlowId,
      transport,
      remote: `${address}:5060`,
      peer: { address, port: 5060 },
    };
    this.#media = new PhoneMedia(options);
    this.#requests = new PhoneRequests({
      clock: world.clock,
      chance: world.chance,
      flow: this.flow,
      credentials: { username: user, password },
      hear: (output) => this.#hear(output),
      wants: (id) => ![...this.calls.values()].some((one) => one.inviteId === id && one.wantsEnd),
      again: (id, next, request) => {
        for (const call of this.calls.values()) {
          if (call.inviteId !== id) continue;
          call.inviteId = next;
          call.invite = request;
        }
      },
    });
  }

  get counts(): number {
    return this.#requests.count;
  }

  get live(): PhoneCall[] {
    return [...this.calls.values()].filter((call) => call.state !== "ended");
  }

  receive(bytes: Uint8Array): void {
    if (this.isDead) return;
    this.#requests.receive(bytes);
  }

  stop(): void {
    this.#requests.stop();
  }

  register(): void {
    const aor = `sip:${this.options.user}@localhost`;
    const request = createRegister({
      requestUri: "sip:localhost",
      from: `<${aor}>;tag=${this.#requests.token()}`,
      aor,
      callId: this.#requests.token(),
      sequence: ++this.#sequence,
      contact: `<${this.contact}>`,
      expires: 36_000,
    });
    this.#requests.request(request, (response) => {
      this.registered = response !== undefined && response.status < 300;
    });
  }

  /** @param to a name of ours, or a URI */
  call(to: string, headers: readonly (readonly [string, string])[] = []): PhoneCall {
    const tag = this.#requests.token();
    const body = this.options.lateOffer ? undefined : this.#media.describe("sendrecv");
    const uri = to.startsWith("sip:") ? to : `sip:${to}@localhost`;
    const invite = createInvite({
      requestUri: uri,
      from: `<sip:${this.options.user}@localhost>;tag=${tag}`,
      to: `<${uri}>`,
      headers,
      callId: this.#requests.token(),
      sequence: 1,
      contact: `<${this.contact}>`,
      ...(body === undefined ? {} : { body: { contentType: SDP, bytes: encoder.encode(body) } }),
    });
    const call = this.#newCall(invite, false, tag);
    this.#invite(call, invite);
    return call;
  }

  ring(call: PhoneCall, early = false): void {
    if (call.state !== "trying" || call.server === undefined) return;
    call.state = "ringing";
    const sdp = early ? this.#answer(call) : undefined;
    this.#respond(call.server, call.invite, sdp === undefined ? 180 : 183, call.tag, sdp);
  }

  answer(call: PhoneCall): void {
    if (call.state === "ended" || call.state === "talking" || call.server === undefined) return;
    const sdp = call.remote ? this.#answer(call) : this.#media.describe("sendrecv");
    if (sdp === undefined) return this.reject(call, 488);
    call.state = "talking";
    const dialog = Dialog.ofUas(call.invite, call.tag);
    if (dialog.ok) {
      call.dialog = dialog.value;
      dialog.value.confirm();
    }
    this.#respond(call.server, call.invite, 200, call.tag, sdp);
  }

  reject(call: PhoneCall, status = 486): void {
    if (call.state === "ended" || call.state === "talking" || call.server === undefined) return;
    this.#end(call, status);
    this.#respond(call.server, call.invite, status, call.tag);
  }

  hangup(call: PhoneCall): void {
    if (call.state === "ended") return;
    call.wantsEnd = true;
    if (call.state === "talking") {
      if (!call.isAcknowledged) return;
      this.#end(call, 200);
      if (call.dialog) this.#requests.request(call.dialog.request("BYE"), () => {});
      return;
    }
    if (call.incoming) return this.reject(call);
    this.#requests.cancel(call.inviteId);
  }

  hold(call: PhoneCall, on: boolean): void {
    if (call.state !== "talking" || !call.dialog || call.offering) return;
    call.offering = true;
    const body = this.#media.describe(on ? "sendonly" : "sendrecv");
    const request = call.dialog.request("INVITE", {
      contact: `<${this.contact}>`,
      body: { contentType: SDP, bytes: encoder.encode(body) },
    });
    this.#requests.request(request, (response) => {
      const { dialog } = call;
      if (response && response.status < 300 && dialog) {
        const ack = dialog.ack(request.cseq.sequence);
        this.#requests.ack(ack);
        if (!call.offering) return;
        call.held = on;
        this.#take(call, response);
      }
      call.offering = false;
    });
  }

  /** re-INVITE with this description; gives the final response. */
  reoffer(call: PhoneCall, body: string, done: (response: SipResponse) => void): void {
    const request = call.dialog!.request("INVITE", {
      contact: `<${this.contact}>`,
      body: { contentType: SDP, bytes: encoder.encode(body) },
    });
    this.#requests.request(request, (response) => {
      if (!response) return;
      if (response.status < 200) return;
      if (response.status < 300) {
        const ack = call.dialog!.ack(request.cseq.sequence);
        this.#requests.ack(ack);
      }
      done(response);
    });
  }

  /** What it would offer now. */
  describe(): string {
    return this.#media.describe("sendrecv");
  }

  /** A request inside the dialog of a call. */
  inDialog(
    call: PhoneCall,
    method: string,
    options: {
      readonly headers?: readonly (readonly [string, string])[];
      readonly contentType?: string;
      readonly body?: string;
    } = {},
    done: (status: number) => void = () => {},
  ): void {
    const { headers = [], contentType, body = "" } = options;
    const request = call.dialog!.request(method, {
      contact: `<${this.contact}>`,
      headers,
      ...(contentType === undefined ? {} : { body: { contentType, bytes: encoder.encode(body) } }),
    });
    this.#requests.request(request, (response) => done(response?.status ?? 408));
  }

  /** Refreshes the session timer. */
  refresh(call: PhoneCall, sessionExpires: string): void {
    const headers = [["Session-Expires", sessionExpires], ["Supported", "timer"]] as const;
    this.inDialog(call, "UPDATE", { headers });
  }

  /** Its calls have ended without its knowledge. */
  forget(): void {
    for (const call of this.live) this.#end(call, 0);
  }

  /** Asks for a key frame by INFO (RFC 5168). */
  fastUpdate(call: PhoneCall, done: (status: number) => void): void {
    const bytes = encoder.encode("<media_control><picture_fast_update/></media_control>");
    const request = call.dialog!.request("INFO", {
      body: { contentType: "application/media_control+xml", bytes },
    });
    this.#requests.request(request, (response) => done(response?.status ?? 408));
  }

  // --- as caller ---

  #invite(call: PhoneCall, invite: SipRequest): void {
    call.invite = invite;
    call.inviteId = this.#requests.request(
      invite,
      (response) => this.#onInviteResponse(call, response),
    );
  }

  #onInviteResponse(call: PhoneCall, response: SipResponse | undefined): void {
    if (!response) return this.#end(call, 408);
    const { status } = response;
    if (status < 200) {
      if (status === 100) return;
      call.ringing = true;
      if (response.body.length > 0) {
        call.early = true;
        this.#take(call, response);
      }
      return;
    }
    if (status >= 300) return this.#end(call, status);
    const known = call.dialog?.remoteTag === response.to.tag ? call.dialog : undefined;
    const made = known ? undefined : Dialog.ofUac(call.invite, response);
    const dialog = known ?? (made?.ok ? made.value : undefined);
    if (!dialog) return;
    const isFirst = call.dialog === undefined && call.state !== "ended";
    if (isFirst) {
      call.dialog = dialog;
      this.#take(call, response);
    }
    const late = this.options.lateOffer ? this.#answer(call) : undefined;
    const ack = dialog.ack(call.invite.cseq.sequence, {
      ...(late === undefined ? {} : { body: { contentType: SDP, bytes: encoder.encode(late) } }),
    });
    this.#requests.ack(ack);
    if (isFirst) call.state = "talking";
    else if (!known) this.#requests.request(dialog.request("BYE"), () => {});
    if (isFirst && (call.wantsEnd || call.remote?.port === 0)) this.hangup(call);
  }

  // --- descriptions ---

  /** Our answer to what the other side said last; undefined where nothing fits. */
  #answer(call: PhoneCall): string | undefined {
    return call.remote ? this.#media.answer(call, call.remote) : undefined;
  }

  #take(call: PhoneCall, message: SipRequest | SipResponse): void {
    if (message.body.length === 0) return;
    call.remoteText = decoder.decode(message.body);
    this.world.checkWire(this, call.remoteText);
    call.remote = readPhoneSdp(call.remoteText);
    if (call.remote && call.codec === "") call.codec = call.remote.codecs[0]?.[1] ?? "";
  }

  // --- as callee, and inside dialogs ---

  #hear(output: StackOutput): void {
    switch (output.type) {
      case "send":
        return this.world.toServer(this, output.bytes);
      case "request":
        return this.#onRequest(output.id, output.request);
      case "cancelled": {
        const call = [...this.calls.values()].find((one) => one.server === output.id);
        if (!call || call.state === "talking" || call.state === "ended") return;
        this.#end(call, 487);
        return this.#respond(output.id, call.invite, 487, call.tag);
      }
      // Our 2xx was never acknowledged (RFC 3261 13.3.1.4).
      case "server-failed": {
        const call = [...this.calls.values()].find((one) => one.server === output.id);
        if (call?.state !== "talking" || call.isAcknowledged) return;
        call.isAcknowledged = true;
        return this.hangup(call);
      }
      case "ack":
        return this.#onAck(output.request);
      default:
        return;
    }
  }

  #onRequest(id: ServerTransactionId, request: SipRequest): void {
    const tag = request.to.tag;
    const call = tag === undefined
      ? undefined
      : [...this.calls.values()].find((one) =>
        one.callId === request.callId && one.tag === tag && one.dialog !== undefined
      );
    if (tag !== undefined && !call) return this.#respond(id, request, 481, tag);
    if (request.method === "INVITE") {
      return call ? this.#onReoffer(id, request, call) : this.#onInvite(id, request);
    }
    if (request.method === "BYE" && call) {
      call.endedBy = request;
      this.#end(call, 200);
      return this.#respond(id, request, 200, call.tag);
    }
    if (request.method === "OPTIONS") this.pings++;
    const status = request.method === "OPTIONS" ? 200 : this.onOther(request, call);
    this.#respond(id, request, status, tag ?? "x");
  }

  #onAck(ack: SipRequest): void {
    for (const call of this.calls.values()) {
      if (call.callId !== ack.callId || call.tag !== ack.to.tag || call.isAcknowledged) continue;
      call.isAcknowledged = true;
      this.#take(call, ack);
      if (call.wantsEnd) this.hangup(call);
    }
  }

  #onInvite(id: ServerTransactionId, request: SipRequest): void {
    const call = this.#newCall(request, true, this.#requests.token());
    call.server = id;
    this.#take(call, request);
    const replaced = this.#replaced(request);
    this.world.clock.defer(() => {
      if (!replaced) return this.onIncoming(call);
      this.answer(call);
      if (call.state === "talking") this.hangup(replaced);
    });
  }

  /** The call whose place this INVITE wants (RFC 3891). */
  #replaced(request: SipRequest): PhoneCall | undefined {
    const replaces = readReplaces(request);
    if (!replaces.ok || !replaces.value) return undefined;
    const { callId, localTag, remoteTag } = replaces.value;
    return this.live.find(({ dialog }) =>
      dialog?.callId === callId && dialog.localTag === localTag && dialog.remoteTag === remoteTag
    );
  }

  #onReoffer(id: ServerTransactionId, request: SipRequest, call: PhoneCall): void {
    this.reoffers++;
    if (call.offering) return this.#respond(id, request, 491, call.tag);
    if (this.refusesOffers > 0) return this.#respond(id, request, this.refusesOffers, call.tag);
    this.#take(call, request);
    const sdp = this.#answer(call);
    this.#respond(id, request, sdp === undefined ? 488 : 200, call.tag, sdp);
  }

  #newCall(invite: SipRequest, incoming: boolean, tag: string): PhoneCall {
    const call = newCall(invite, incoming, tag);
    this.calls.set(`${invite.callId} ${tag}`, call);
    return call;
  }

  #end(call: PhoneCall, status: number): void {
    if (call.state === "ended") return;
    call.state = "ended";
    call.status = status;
    this.world.count(`phone ${status}`);
  }

  #respond(
    id: ServerTransactionId,
    request: SipRequest,
    status: number,
    toTag: string,
    sdp?: string,
  ): void {
    const response = createResponse(request, status, undefined, {
      toTag,
      recordRoute: status < 300,
      ...(status < 300 ? { headers: [["Contact", `<${this.contact}>`]] as const } : {}),
      ...(sdp === undefined ? {} : { body: encoder.encode(sdp), contentType: SDP }),
    });
    const { allow, sessionExpires } = this.options;
    if (sessionExpires !== undefined && request.method === "INVITE" && status === 200) {
      response.headers.set("Session-Expires", sessionExpires);
    }
    if (allow !== undefined && request.method === "INVITE") response.headers.set("Allow", allow);
    this.#requests.respond(id, response);
  }
}
