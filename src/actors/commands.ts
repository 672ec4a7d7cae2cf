import type { CallId } from "../core/ids.ts";
import { err, ok, type Result } from "../core/result.ts";
import { termination } from "../core/termination.ts";
import type { Calls } from "./calls.ts";
import type { CommandRefusal, StartCall } from "./control_plane.ts";
import type { SessionDirectory } from "./sessions.ts";

type Outcome<T = void> = Result<T, CommandRefusal>;

/** What operators can do. A refusal has a stable code and a sentence. */
export class Commands {
  readonly #sessions: SessionDirectory;
  readonly #calls: Calls;

  constructor(ports: { readonly sessions: SessionDirectory; readonly calls: Calls }) {
    this.#sessions = ports.sessions;
    this.#calls = ports.calls;
  }

  endCall(id: string): Outcome {
    if (this.#calls.end(id, termination("operator"))) return ok(undefined);
    return this.#calls.endedCall(id)
      ? err({ code: "ended", text: `Call ${id} has ended already` })
      : err({ code: "not_found", text: `There is no call ${id}` });
  }

  endSession(id: string): Outcome {
    const record = this.#sessions.get(id);
    if (!record) return err({ code: "not_found", text: `There is no session ${id}` });
    this.#sessions.end(record, termination("operator"), "operator");
    return ok(undefined);
  }

  /** The connected session of `login` rings first; on its answer `callee` is called. */
  startCall(request: StartCall): Outcome<{ readonly callId: string }> {
    const { callId, login } = request;
    if (callId !== undefined && (this.#calls.get(callId) || this.#calls.endedCall(callId))) {
      return err({ code: "conflict", text: `The call id ${callId} is in use` });
    }
    const session = this.#sessions.connected(login);
    if (!session) {
      return err({ code: "not_found", text: `No connected session has the login ${login}` });
    }
    const callee = this.#sessions.parseCallee(session, request.callee);
    if (!callee.ok) return err({ code: "invalid", text: callee.error });
    if (this.#calls.isFull(session.id)) {
      return err({ code: "conflict", text: `The session of ${login} has too many calls` });
    }
    const record = this.#calls.start({
      ...(callId === undefined ? {} : { callId: callId as CallId }),
      party: session.party,
      origin: { type: "startup", hasVideo: request.hasVideo },
      caller: session.profile.login,
      callee: callee.value.name,
      target: callee.value.uri,
      visibleName: request.visibleName ?? session.profile.visibleName ?? session.profile.login,
      inviteParameters: request.inviteParameters ?? null,
      custom: request.custom,
    });
    return ok({ callId: record.id });
  }
}
