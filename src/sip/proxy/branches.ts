import type { Instant } from "../../core/clock.ts";
import type { Flow } from "../flow.ts";
import { parseUri } from "../message/mod.ts";
import type { StackInput } from "../stack_io.ts";
import type { ContextTable } from "./context_table.ts";
import type { DialogTable } from "./dialog_table.ts";
import { breadthOf, createForward, loopSuffix, recordRoutes } from "./forwarding.ts";
import type { OutsideBranches, OutsideRequest } from "./outside.ts";
import type { ResponseContext } from "./response_context.ts";
import type { Target } from "./target.ts";

export interface BranchesPort {
  /** `host:port` of our Record-Routes, in lower case. */
  readonly sentBy: string;
  readonly contexts: ContextTable;
  readonly dialogs: DialogTable;
  readonly outside: OutsideBranches;
  tell(input: StackInput): void;
}

/** How a request leaves, once for each of its targets (RFC 3261 16.6). */
export class Branches {
  readonly #port: BranchesPort;

  constructor(port: BranchesPort) {
    this.#port = port;
  }

  /** Begins the branches of one group. */
  start(context: ResponseContext, targets: readonly Target[], now: Instant): void {
    const { sentBy, contexts, dialogs, tell } = this.#port;
    const { request, flow: from } = context;
    dialogs.expect(context.id, request, from, targets.flatMap(({ flow }) => flow ?? []));
    const maxBreadth = Math.floor(breadthOf(request) / targets.length);
    const branchSuffix = loopSuffix(request);
    // All branches first: an answer must not find a context that believes it has no more.
    const branches = targets.map((target) => ({
      branch: contexts.addBranch(context, target, now),
      ...target,
    }));
    for (const { branch, uri, flow, path = [] } of branches) {
      const create = (out: Flow) => {
        const routes = recordRoutes(from, out, sentBy);
        // A route says whom to ask next, not who is meant.
        const meant = flow === null && request.routes.length > 0 ? request.uri : uri;
        return createForward(request, { uri: meant, recordRoutes: routes, path, maxBreadth });
      };
      if (flow) tell({ type: "request", id: branch, request: create(flow), flow, branchSuffix });
      else this.#goOutside(context, { branch, create, branchSuffix, original: request, uri });
    }
  }

  #goOutside(
    context: ResponseContext,
    { uri, create, original, ...rest }: Omit<OutsideRequest, "uri"> & { readonly uri: string },
  ): void {
    const parsed = parseUri(uri);
    const next = original.routes[0]?.uri ?? (parsed.ok ? parsed.value : undefined);
    if (!next) throw new Error(`target ${uri} was not checked`);
    this.#port.outside.start({
      ...rest,
      original,
      uri: next,
      create: (flow) => {
        this.#port.dialogs.expect(context.id, original, context.flow, [flow]);
        return create(flow);
      },
    });
  }
}
