import { enqueueActions, setup } from "xstate";
import { InviteUsage, type UsageEvent } from "../sip/user_agent/invite_usage.ts";
import type { IncomingRefer } from "../sip/user_agent/refer.ts";
import type { CallPorts, DialogResources } from "./call_ports.ts";

export interface SipDialogInput {
  readonly role: "uac" | "uas";
  readonly ports: CallPorts;
  readonly resources: DialogResources;
  /** Sends or takes the INVITE. */
  readonly start: (emit: (event: DialogEvent) => void) => InviteUsage;
}

export type SipDialogCommand =
  | { readonly type: "ring" }
  | { readonly type: "accept"; readonly body: string }
  | { readonly type: "reoffer"; readonly body: string }
  | { readonly type: "reanswer"; readonly body: string }
  | { readonly type: "refuseReoffer"; readonly status: number }
  /** One INFO for each body, one after the other. */
  | { readonly type: "info"; readonly contentType: string; readonly bodies: readonly string[] }
  /** Asks the far side to call this URI itself (RFC 3515). */
  | { readonly type: "refer"; readonly target: string }
  /**
   * Accepted in every state: ends the dialog by the message that fits the state. `reason` is the
   * value of its Reason header (RFC 3326).
   */
  | { readonly type: "terminate"; readonly sipStatus: number; readonly reason?: string };

/** What is asked for inside a dialog beside changes of its session. */
export type DialogRequestEvent =
  | { readonly type: "usage.info"; readonly contentType: string; readonly body: string }
  | { readonly type: "usage.referred"; readonly refer: IncomingRefer }
  /** Status of the call that a REFER of ours asked for, or of its refusal. */
  | { readonly type: "usage.referProgress"; readonly status: number };

export type DialogEvent = UsageEvent | DialogRequestEvent;

/** What the call hears of its dialog. */
export type SipDialogNotice =
  | { readonly type: "dialog.progress"; readonly status: number; readonly body: string | null }
  | { readonly type: "dialog.answered"; readonly body: string }
  | {
    readonly type: "dialog.refused";
    readonly status: number;
    readonly reason: string;
    /** Value of the Reason header (RFC 3326), null for none. */
    readonly why: string | null;
  }
  /** `body`: the answer, where our 2xx had the offer. */
  | { readonly type: "dialog.acknowledged"; readonly body: string | null }
  | { readonly type: "dialog.unacknowledged" }
  | { readonly type: "dialog.cancelled"; readonly reason: string | null }
  | { readonly type: "dialog.reoffered"; readonly body: string }
  | { readonly type: "dialog.reanswered"; readonly body: string }
  | { readonly type: "dialog.reofferRefused"; readonly status: number }
  | { readonly type: "dialog.info"; readonly contentType: string; readonly body: string }
  | { readonly type: "dialog.referred"; readonly refer: IncomingRefer }
  | { readonly type: "dialog.referProgress"; readonly status: number }
  | { readonly type: "dialog.bye"; readonly reason: string | null }
  /** The session timer ran out: the far side is gone (RFC 4028 10). */
  | { readonly type: "dialog.expired" };

/** What it hears of the dialog that a transfer brings. */
export type NextDialogNotice =
  | { readonly type: "next.progress"; readonly status: number }
  | { readonly type: "next.answered"; readonly body: string }
  | { readonly type: "next.acknowledged"; readonly body: string | null }
  | { readonly type: "next.refused"; readonly status: number };

/** What the call hears of the dialog that a bridged call has beside its own. */
export interface BridgedDialogNotice {
  readonly type: "bridged.notice";
  readonly notice: SipDialogNotice;
}

const SESSION_EXPIRED = 'SIP;cause=408;text="Session timer expired"';
/**
 * A BYE or CANCEL that is never answered is given up by its transaction (64*T1); this is beyond it.
 */
const GIVE_UP_MS = 35_000;

/**
 * One SIP dialog of a call, as its user agent sees it (RFC 3261 12 to 15). Mechanics are
 * `InviteUsage`'s; this machine says what is allowed when, and ends in `terminated` whatever
 * happens.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> starting
 *   starting --> received : [isUas]
 *   starting --> calling
 *   calling --> proceeding : usage.provisional
 *   calling --> confirmed : usage.answered
 *   calling --> terminated : usage.refused
 *   calling --> cancelling : terminate
 *   proceeding --> confirmed : usage.answered
 *   proceeding --> terminated : usage.refused
 *   proceeding --> cancelling : terminate
 *   note right of proceeding : stays on usage.provisional
 *   cancelling --> leaving : usage.answered
 *   cancelling --> terminated : usage.refused, [isAbandoned], after giveUp 35 s
 *   received --> early : ring
 *   received --> accepted : accept
 *   received --> terminated : usage.cancelled, terminate
 *   early --> accepted : accept
 *   early --> terminated : usage.cancelled, terminate
 *   accepted --> confirmed : usage.acknowledged
 *   accepted --> leaving : usage.unacknowledged
 *   accepted --> terminated : usage.bye
 *   accepted --> withdrawing : terminate
 *   withdrawing --> leaving : usage.acknowledged, usage.unacknowledged, after giveUp 35 s
 *   withdrawing --> terminated : usage.bye, [isAbandoned]
 *   confirmed --> leaving : usage.unacknowledged, usage.expired, terminate
 *   confirmed --> terminated : usage.bye
 *   note right of confirmed
 *     stays on reoffer, reanswer, refuseReoffer, usage.reoffered, usage.reanswered,
 *     usage.reofferRefused, info, refer, usage.info, usage.referred, usage.referProgress
 *   end note
 *   leaving --> terminated : usage.closed, [isAbandoned], after giveUp 35 s
 *   terminated --> [*]
 *   note right of starting : every state stays on usage.referred
 * ```
 */
export const sipDialogMachine = setup({
  types: {
    input: {} as SipDialogInput,
    context: {} as SipDialogInput,
    events: {} as SipDialogCommand | DialogEvent,
  },
  actions: {
    entered: ({ context }, params: { state: string }) =>
      context.ports.trace?.("sip_dialog", params.state),
    begin: ({ context, self }) => {
      context.resources.usage = context.start((event) => self.send(event));
      context.resources.unanswered = null;
    },
    ring: ({ context }) => context.resources.usage?.ring(180, null),
    accept: ({ context, event }) => {
      if (event.type === "accept") context.resources.usage?.accept(event.body);
    },
    reject: ({ context, event }) => {
      if (event.type !== "terminate") return;
      const headers = event.reason === undefined ? {} : { Reason: event.reason };
      context.resources.usage?.reject(event.sipStatus, headers);
    },
    cancel: ({ context, event }) =>
      context.resources.usage?.cancel(event.type === "terminate" ? event.reason : undefined),
    bye: ({ context, event }) =>
      context.resources.usage?.bye(event.type === "usage.expired" ? SESSION_EXPIRED : undefined),
    reoffer: ({ context, event, self }) => {
      if (event.type !== "reoffer") return;
      if (!context.resources.usage?.reoffer(event.body)) {
        self.send({ type: "usage.reofferRefused", status: 491 });
      }
    },
    reanswer: ({ context, event }) => {
      if (event.type === "reanswer") context.resources.usage?.reanswer(event.body);
    },
    refuseReoffer: ({ context, event }) => {
      if (event.type === "refuseReoffer") context.resources.usage?.refuseReoffer(event.status);
    },
    dispose: ({ context }) => {
      context.resources.usage?.dispose();
      context.resources.usage = null;
    },
    info: ({ context, event }) => {
      if (event.type !== "info") return;
      for (const body of event.bodies) context.resources.usage?.info(event.contentType, body);
    },
    refer: ({ context, event }) => {
      if (event.type === "refer") context.resources.usage?.refer(event.target);
    },
    refuseRefer: ({ event }) => {
      if (event.type === "usage.referred") event.refer.refuse(480);
    },
    tellParent: enqueueActions(({ context, event, enqueue }) => {
      if (event.type === "usage.referred" && context.resources.role !== "current") {
        return event.refer.refuse(480);
      }
      const notice = toNotice(event as DialogEvent);
      const heard = context.resources.role === "current"
        ? notice
        : context.resources.role === "next"
        ? toNextNotice(notice)
        : context.resources.role === "bridged"
        ? { type: "bridged.notice", notice } as const
        : undefined;
      if (heard) enqueue.sendParent(heard);
    }),
  },
  guards: {
    isAbandoned: ({ context }) => context.resources.usage === null,
    isUas: ({ context }) => context.role === "uas",
  },
  delays: { giveUp: GIVE_UP_MS },
}).createMachine({
  id: "sip_dialog",
  context: ({ input }) => input,
  initial: "starting",
  entry: "begin",
  on: { "usage.referred": { actions: "refuseRefer" } },
  states: {
    starting: {
      always: [{ guard: "isUas", target: "received" }, { target: "calling" }],
    },
    calling: {
      entry: { type: "entered", params: { state: "calling" } },
      on: {
        "usage.provisional": { target: "proceeding", actions: "tellParent" },
        "usage.answered": { target: "confirmed", actions: "tellParent" },
        "usage.refused": { target: "terminated", actions: "tellParent" },
        terminate: { target: "cancelling", actions: "cancel" },
      },
    },
    proceeding: {
      entry: { type: "entered", params: { state: "proceeding" } },
      on: {
        "usage.provisional": { actions: "tellParent" },
        "usage.answered": { target: "confirmed", actions: "tellParent" },
        "usage.refused": { target: "terminated", actions: "tellParent" },
        terminate: { target: "cancelling", actions: "cancel" },
      },
    },
    // CANCEL is out; a 200 that crossed it is ended by BYE (RFC 3261 15).
    cancelling: {
      entry: { type: "entered", params: { state: "cancelling" } },
      always: { guard: "isAbandoned", target: "terminated" },
      on: {
        "usage.answered": { target: "leaving", actions: "bye" },
        "usage.refused": { target: "terminated" },
      },
      after: { giveUp: "terminated" },
    },
    received: {
      entry: { type: "entered", params: { state: "received" } },
      on: {
        ring: { target: "early", actions: "ring" },
        accept: { target: "accepted", actions: "accept" },
        "usage.cancelled": { target: "terminated", actions: "tellParent" },
        terminate: { target: "terminated", actions: "reject" },
      },
    },
    early: {
      entry: { type: "entered", params: { state: "early" } },
      on: {
        accept: { target: "accepted", actions: "accept" },
        "usage.cancelled": { target: "terminated", actions: "tellParent" },
        terminate: { target: "terminated", actions: "reject" },
      },
    },
    // Our 200 is out and repeated until the ACK comes.
    accepted: {
      entry: { type: "entered", params: { state: "accepted" } },
      on: {
        "usage.acknowledged": { target: "confirmed", actions: "tellParent" },
        "usage.unacknowledged": { target: "leaving", actions: ["tellParent", "bye"] },
        "usage.bye": { target: "terminated", actions: "tellParent" },
        terminate: "withdrawing",
      },
    },
    // A callee may not send BYE before the ACK, or before it is given up (RFC 3261 15).
    withdrawing: {
      entry: { type: "entered", params: { state: "withdrawing" } },
      always: { guard: "isAbandoned", target: "terminated" },
      on: {
        "usage.acknowledged": { target: "leaving", actions: "bye" },
        "usage.unacknowledged": { target: "leaving", actions: "bye" },
        "usage.bye": "terminated",
      },
      after: { giveUp: { target: "leaving", actions: "bye" } },
    },
    confirmed: {
      entry: { type: "entered", params: { state: "confirmed" } },
      on: {
        reoffer: { actions: "reoffer" },
        reanswer: { actions: "reanswer" },
        refuseReoffer: { actions: "refuseReoffer" },
        "usage.reoffered": { actions: "tellParent" },
        "usage.reanswered": { actions: "tellParent" },
        "usage.reofferRefused": { actions: "tellParent" },
        info: { actions: "info" },
        refer: { actions: "refer" },
        "usage.info": { actions: "tellParent" },
        "usage.referred": { actions: "tellParent" },
        "usage.referProgress": { actions: "tellParent" },
        "usage.unacknowledged": { target: "leaving", actions: ["tellParent", "bye"] },
        "usage.expired": { target: "leaving", actions: ["tellParent", "bye"] },
        "usage.bye": { target: "terminated", actions: "tellParent" },
        terminate: { target: "leaving", actions: "bye" },
      },
    },
    leaving: {
      entry: { type: "entered", params: { state: "leaving" } },
      always: { guard: "isAbandoned", target: "terminated" },
      on: { "usage.closed": "terminated" },
      after: { giveUp: "terminated" },
    },
    terminated: {
      type: "final",
      entry: ["dispose", { type: "entered", params: { state: "terminated" } }],
    },
  },
});

/** Before its answer a dialog has nothing else to say, and after it, it is the current one. */
function toNextNotice(notice: SipDialogNotice): NextDialogNotice | undefined {
  switch (notice.type) {
    case "dialog.progress":
      return { type: "next.progress", status: notice.status };
    case "dialog.answered":
      return { type: "next.answered", body: notice.body };
    case "dialog.refused":
      return { type: "next.refused", status: notice.status };
    case "dialog.acknowledged":
      return { type: "next.acknowledged", body: notice.body };
    case "dialog.unacknowledged":
    case "dialog.expired":
      return { type: "next.refused", status: 408 };
    case "dialog.cancelled":
      return { type: "next.refused", status: 487 };
    case "dialog.bye":
      return { type: "next.refused", status: 480 };
    default:
      return undefined;
  }
}

function toNotice(event: DialogEvent): SipDialogNotice {
  switch (event.type) {
    case "usage.info":
      return { type: "dialog.info", contentType: event.contentType, body: event.body };
    case "usage.referred":
      return { type: "dialog.referred", refer: event.refer };
    case "usage.referProgress":
      return { type: "dialog.referProgress", status: event.status };
    case "usage.provisional":
      return { type: "dialog.progress", status: event.status, body: event.body };
    // Sessions offer in their INVITEs and answer in their 2xx: these are other users' matters.
    case "usage.offered":
      return { type: "dialog.progress", status: 183, body: event.body };
    case "usage.pracked":
      return { type: "dialog.acknowledged", body: null };
    case "usage.answered":
      return { type: "dialog.answered", body: event.body };
    case "usage.refused":
      return {
        type: "dialog.refused",
        status: event.status,
        reason: event.reason,
        why: event.why ?? null,
      };
    case "usage.acknowledged":
      return { type: "dialog.acknowledged", body: event.body ?? null };
    case "usage.unacknowledged":
      return { type: "dialog.unacknowledged" };
    case "usage.cancelled":
      return { type: "dialog.cancelled", reason: event.reason };
    case "usage.reoffered":
      return { type: "dialog.reoffered", body: event.body };
    case "usage.reanswered":
      return { type: "dialog.reanswered", body: event.body };
    case "usage.reofferRefused":
      return { type: "dialog.reofferRefused", status: event.status };
    case "usage.bye":
      return { type: "dialog.bye", reason: event.reason };
    case "usage.expired":
      return { type: "dialog.expired" };
    case "usage.closed":
      return { type: "dialog.bye", reason: null };
  }
}
