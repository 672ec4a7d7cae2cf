import { err, ok, type Result } from "../../core/result.ts";
import {
  createResponse,
  NameAddr,
  type SipMessage,
  type SipRequest,
  type SipResponse,
} from "../message/mod.ts";
import { type Body, createRequest, type ExtraHeaders } from "./requests.ts";

export type DialogState = "early" | "confirmed" | "terminated";

/** Why a message makes no dialog. */
export type DialogFault = "no-contact" | "no-tag" | "no-dialog-status";

/** What is wrong with a request inside a dialog: the response to give. */
export interface DialogRefusal {
  readonly status: number;
  readonly text: string;
}

export interface InDialogOptions {
  readonly contact?: string | undefined;
  readonly headers?: ExtraHeaders | undefined;
  readonly body?: Body | undefined;
}

interface Parts {
  readonly callId: string;
  readonly local: NameAddr;
  readonly remote: NameAddr;
  readonly localTag: string;
  readonly remoteTag: string;
  readonly localSequence: number;
  readonly remoteSequence: number | undefined;
  readonly remoteTarget: string;
  readonly routeSet: readonly string[];
  readonly secure: boolean;
  readonly state: DialogState;
}

/** A dialog's key seen from one side. */
export function dialogKey(callId: string, localTag: string, remoteTag: string): string {
  return `${callId}\n${localTag}\n${remoteTag}`;
}

/** Key of the dialog that a received request belongs to, seen from its receiver. */
export function dialogKeyOfRequest(request: SipRequest): string {
  return dialogKey(request.callId, request.to.tag ?? "", request.from.tag ?? "");
}

/** Key of the dialog that a received response belongs to, seen from its receiver. */
export function dialogKeyOfResponse(response: SipResponse): string {
  return dialogKey(response.callId, response.from.tag ?? "", response.to.tag ?? "");
}

/** State of one dialog (RFC 3261 12): identifiers, sequence numbers, target and route set. */
export class Dialog {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  readonly localUri: string;
  readonly remoteUri: string;
  /** Made by a sips request over a secure flow. */
  readonly secure: boolean;
  readonly #local: string;
  readonly #remote: string;
  #state: DialogState;
  #remoteTarget: string;
  #routeSet: readonly string[];
  #localSequence: number;
  #remoteSequence: number | undefined;

  private constructor(parts: Parts) {
    this.callId = parts.callId;
    this.localTag = parts.localTag;
    this.remoteTag = parts.remoteTag;
    this.localUri = parts.local.uri.toString();
    this.remoteUri = parts.remote.uri.toString();
    this.secure = parts.secure;
    this.#local = withTag(parts.local, parts.localTag);
    this.#remote = withTag(parts.remote, parts.remoteTag);
    this.#state = parts.state;
    this.#remoteTarget = parts.remoteTarget;
    this.#routeSet = parts.routeSet;
    this.#localSequence = parts.localSequence;
    this.#remoteSequence = parts.remoteSequence;
  }

  /** The caller's dialog out of a 101-299 response with a To tag (12.1.2). */
  static ofUac(invite: SipRequest, response: SipResponse): Result<Dialog, DialogFault> {
    const { status } = response;
    if (status <= 100 || status >= 300) return err("no-dialog-status");
    const remoteTag = response.to.tag;
    if (remoteTag === undefined) return err("no-tag");
    const remoteTarget = targetOf(response);
    if (remoteTarget === undefined) return err("no-contact");
    return ok(
      new Dialog({
        callId: invite.callId,
        local: invite.from,
        remote: response.to,
        localTag: invite.from.tag ?? "",
        remoteTag,
        localSequence: invite.cseq.sequence,
        remoteSequence: undefined,
        remoteTarget,
        routeSet: routeSetOfUac(response),
        secure: isSecure(invite),
        state: status < 200 ? "early" : "confirmed",
      }),
    );
  }

  /** The callee's dialog, early until `confirm` (12.1.1). */
  static ofUas(invite: SipRequest, localTag: string): Result<Dialog, DialogFault> {
    const remoteTarget = targetOf(invite);
    if (remoteTarget === undefined) return err("no-contact");
    return ok(
      new Dialog({
        callId: invite.callId,
        local: invite.to,
        remote: invite.from,
        localTag,
        // An element of RFC 2543 sends none (12.1.1).
        remoteTag: invite.from.tag ?? "",
        localSequence: 0,
        remoteSequence: invite.cseq.sequence,
        remoteTarget,
        routeSet: invite.headers.getAll("Record-Route"),
        secure: isSecure(invite),
        state: "early",
      }),
    );
  }

  get state(): DialogState {
    return this.#state;
  }

  /** Where requests go: the far side's Contact. */
  get remoteTarget(): string {
    return this.#remoteTarget;
  }

  get routeSet(): readonly string[] {
    return this.#routeSet;
  }

  /** CSeq of our last request, 0 before the first. */
  get localSequence(): number {
    return this.#localSequence;
  }

  get key(): string {
    return dialogKey(this.callId, this.localTag, this.remoteTag);
  }

  /**
   * A 2xx to the INVITE: sent by us (callee, without argument) or received (caller). A 2xx's route
   * set and target replace the early ones (13.2.2.4).
   */
  confirm(response?: SipResponse): void {
    if (this.#state === "terminated") return;
    if (response) {
      if (this.#state === "early") this.#routeSet = routeSetOfUac(response);
      this.updateTarget(response);
    }
    this.#state = "confirmed";
  }

  terminate(): void {
    this.#state = "terminated";
  }

  /**
   * A target refresh, request or 2xx (12.2.1.2, 12.2.2); without a usable Contact nothing changes.
   */
  updateTarget(message: SipMessage): void {
    this.#remoteTarget = targetOf(message) ?? this.#remoteTarget;
  }

  /** A request inside the dialog (12.2.1.1), without Via. Neither ACK nor CANCEL. */
  request(method: string, options: InDialogOptions = {}): SipRequest {
    this.#localSequence++;
    return this.#create(method, this.#localSequence, options);
  }

  /** The ACK to a 2xx of the INVITE with CSeq `inviteSequence` (13.2.2.4). */
  ack(inviteSequence: number, options: InDialogOptions = {}): SipRequest {
    return this.#create("ACK", inviteSequence, options);
  }

  /** A response to a request of this dialog, the one that made it included. */
  respond(
    request: SipRequest,
    status: number,
    reason?: string,
    options: InDialogOptions = {},
  ): SipResponse {
    // 12.1.1: what makes or refreshes a dialog carries the path.
    const recordRoute = status > 100 && status < 300 && request.method === "INVITE";
    const toTag = this.localTag;
    const response = createResponse(request, status, reason, { toTag, recordRoute });
    const headers = response.headers;
    if (options.contact !== undefined) headers.set("Contact", options.contact);
    for (const [name, value] of options.headers ?? []) headers.append(name, value);
    if (options.body) {
      headers.set("Content-Type", options.body.contentType);
      response.body = options.body.bytes;
    }
    return response;
  }

  /** Checks a received request's order (12.2.2) and takes its CSeq over. */
  receive(request: SipRequest): Result<void, DialogRefusal> {
    if (dialogKeyOfRequest(request) !== this.key || this.#state === "terminated") {
      return err({ status: 481, text: "Call/Transaction Does Not Exist" });
    }
    if (request.method === "ACK" || request.method === "CANCEL") return ok(undefined);
    const { sequence } = request.cseq;
    const last = this.#remoteSequence;
    if (last !== undefined && sequence < last) {
      return err({ status: 500, text: "CSeq Out Of Order" });
    }
    // The transaction layer absorbs repetitions: this one came by another path (8.2.2.2).
    if (sequence === last) return err({ status: 482, text: "Merged Request" });
    this.#remoteSequence = sequence;
    return ok(undefined);
  }

  #create(method: string, sequence: number, options: InDialogOptions): SipRequest {
    const { requestUri, routes } = this.#path();
    return createRequest({
      method,
      requestUri,
      from: this.#local,
      to: this.#remote,
      callId: this.callId,
      sequence,
      routes,
      ...options,
    });
  }

  /**
   * Request-URI and Route of the next hop: loose, or strict where the first route is (12.2.1.1).
   */
  #path(): { requestUri: string; routes: readonly string[] } {
    const first = this.#routeSet[0];
    if (first === undefined) return { requestUri: this.#remoteTarget, routes: [] };
    const route = NameAddr.parse(first);
    if (!route.ok || route.value.uri.params.has("lr")) {
      return { requestUri: this.#remoteTarget, routes: this.#routeSet };
    }
    const routes = [...this.#routeSet.slice(1), `<${this.#remoteTarget}>`];
    return { requestUri: route.value.uri.withoutHeaders().toString(), routes };
  }
}

function routeSetOfUac(response: SipResponse): string[] {
  return response.headers.getAll("Record-Route").reverse();
}

function targetOf(message: SipMessage): string | undefined {
  const contacts = message.contacts;
  if (contacts === "*") return undefined;
  return contacts[0]?.uri.withoutHeaders().toString();
}

function isSecure(invite: SipRequest): boolean {
  return /^sips:/i.test(invite.uri);
}

function withTag(address: NameAddr, tag: string): string {
  return (address.tag === tag || tag === "" ? address : address.withTag(tag)).toString();
}
