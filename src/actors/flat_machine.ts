import type {
  ActorLogic,
  ActorScope,
  AnyActor,
  AnyStateMachine,
  ContextFrom,
  EventFrom,
  InputFrom,
  Snapshot,
} from "xstate";

/**
 * Runs flat machines of XState by a table made once: the machine says what happens, its actors are
 * XState's as ever, and only the general interpreter, which costs ten times as much, is not asked.
 * For machines of which there are two a call.
 */

/** As much of a machine's snapshot as flat machines need. */
export type FlatSnapshot<TContext> = Snapshot<undefined> & {
  readonly value: string;
  readonly context: TContext;
  /** Of the state's one delayed transition, while it runs. */
  readonly timer: unknown;
};

export type FlatLogic<TMachine extends AnyStateMachine> = ActorLogic<
  FlatSnapshot<ContextFrom<TMachine>>,
  EventFrom<TMachine>,
  InputFrom<TMachine>
>;

/** What a flat machine may be made of. Anything else is a fault of ours, told at start. */
interface FlatConfig {
  readonly context: unknown;
  readonly initial: string;
  readonly on?: Readonly<Record<string, RawStep>>;
  readonly states: Readonly<Record<string, RawState>>;
}

interface RawState {
  readonly type?: string;
  readonly entry?: OneOrMany<RawAction>;
  readonly on?: Readonly<Record<string, RawStep>>;
  readonly after?: Readonly<Record<string, RawStep>>;
}

type OneOrMany<T> = T | readonly T[];
type RawAction = string | { readonly type: string; readonly params?: unknown };
type RawStep = string | {
  readonly target?: string;
  readonly reenter?: boolean;
  readonly actions?: OneOrMany<RawAction>;
};

const MACHINE_KEYS = ["schemas", "id", "context", "initial", "on", "states"];
const STATE_KEYS = ["type", "entry", "on", "after"];
const STEP_KEYS = ["target", "reenter", "actions"];

interface Args {
  context: unknown;
  readonly event: { readonly type: string };
  readonly self: unknown;
  readonly system: unknown;
}
/** Gives back the context, another one after an `assign`. */
type Run = (args: Args) => unknown;
type Assign = unknown | ((args: Args, params: unknown) => unknown);

interface Step {
  /** Null: the state stays as it is, entry and timer included. */
  target: State | null;
  readonly actions: readonly Run[];
}

interface State {
  readonly name: string;
  readonly isFinal: boolean;
  readonly entry: readonly Run[];
  readonly steps: Map<string, Step>;
  readonly delay: ((args: Args) => number) | undefined;
  /** The event that its timer sends. */
  readonly dueEvent: { readonly type: string };
}

/** The type of the event by which XState stops an actor. */
const STOP = "xstate.stop";

interface Mutable {
  status: "active" | "done" | "stopped";
  output: undefined;
  error: undefined;
  value: string;
  context: unknown;
  timer: unknown;
}

type Scope = ActorScope<Snapshot<unknown>, { type: string }>;

/**
 * @param machine without nested or parallel states, guards, exit actions and children; each state
 * has one delayed transition at most
 */
export function flatLogic<TMachine extends AnyStateMachine>(
  machine: TMachine,
): FlatLogic<TMachine> {
  const config = machine.config as unknown as FlatConfig;
  const states = compile(machine, config);
  const first = states.get(config.initial)!;
  const logic: ActorLogic<Snapshot<unknown>, { type: string }, unknown> = {
    getInitialSnapshot(_scope, input): Mutable {
      const { context } = config;
      const made = typeof context === "function" ? context({ input }) : context;
      return snapshotOf(first, made, undefined);
    },

    start(snapshot, scope): void {
      const initial = snapshot as Mutable;
      const event = { type: "xstate.init" };
      const args = argsOf(initial.context, event, scope);
      initial.timer = enter(first, args, scope);
      initial.context = args.context;
    },

    transition(snapshot, event, scope): Mutable {
      const from = snapshot as Mutable;
      const state = states.get(from.value)!;
      if (event.type === STOP) {
        clear(from.timer, scope);
        return { ...from, status: "stopped", timer: undefined };
      }
      const step = state.steps.get(event.type);
      if (!step) return from;
      const args = argsOf(from.context, event, scope);
      const { target, actions } = step;
      if (target) clear(from.timer, scope);
      for (const action of actions) args.context = action(args);
      if (!target) return snapshotOf(state, args.context, from.timer);
      const timer = enter(target, args, scope);
      return snapshotOf(target, args.context, timer);
    },

    getPersistedSnapshot: (snapshot) => snapshot,
  };
  return logic as unknown as FlatLogic<TMachine>;
}

function argsOf(context: unknown, event: { readonly type: string }, scope: Scope): Args {
  return { context, event, self: scope.self, system: scope.system };
}

function snapshotOf(state: State, context: unknown, timer: unknown): Mutable {
  const status = state.isFinal ? "done" : "active";
  return { status, output: undefined, error: undefined, value: state.name, context, timer };
}

/** Runs the entry actions and sets the timer, which is given back. */
function enter(state: State, args: Args, scope: Scope): unknown {
  for (const action of state.entry) args.context = action(args);
  if (!state.delay) return undefined;
  const { clock } = scope.self as unknown as AnyActor;
  return clock.setTimeout(() => scope.self.send(state.dueEvent), state.delay(args));
}

function clear(timer: unknown, scope: Scope): void {
  if (timer !== undefined) (scope.self as unknown as AnyActor).clock.clearTimeout(timer);
}

// --- from the machine to the table ---

function compile(machine: AnyStateMachine, config: FlatConfig): Map<string, State> {
  only(config, MACHINE_KEYS);
  const states = new Map<string, State>();
  for (const [name, raw] of Object.entries(config.states)) {
    only(raw, STATE_KEYS);
    const [delayed, ...more] = Object.keys(raw.after ?? {});
    if (more.length > 0) throw new Error(`state ${name} has several delayed transitions`);
    states.set(name, {
      name,
      isFinal: raw.type === "final",
      entry: actionsOf(machine, raw.entry),
      steps: new Map(),
      delay: delayed === undefined ? undefined : delayOf(machine, delayed),
      dueEvent: { type: `xstate.after.${delayed}.${name}` },
    });
  }
  for (const state of states.values()) {
    const { on = {}, after = {} } = config.states[state.name]!;
    const add = (type: string, raw: RawStep) =>
      state.steps.set(type, stepOf(machine, states, state, raw));
    for (const [type, raw] of Object.entries(config.on ?? {})) add(type, raw);
    for (const [type, raw] of Object.entries(on)) add(type, raw);
    for (const raw of Object.values(after)) add(state.dueEvent.type, raw);
  }
  return states;
}

function stepOf(
  machine: AnyStateMachine,
  states: ReadonlyMap<string, State>,
  from: State,
  raw: RawStep,
): Step {
  const step = typeof raw === "string" ? { target: raw } : raw;
  only(step, STEP_KEYS);
  const name = step.target?.replace(/^\./, "");
  const target = name === undefined ? null : states.get(name);
  if (target === undefined) throw new Error(`there is no state ${name}`);
  const actions = actionsOf(machine, step.actions);
  return { target: target === from && step.reenter !== true ? null : target, actions };
}

function actionsOf(machine: AnyStateMachine, raw: OneOrMany<RawAction> = []): Run[] {
  const list = Array.isArray(raw) ? raw as readonly RawAction[] : [raw as RawAction];
  return list.map((action): Run => {
    const { type, params } = typeof action === "string"
      ? { type: action, params: undefined }
      : action;
    const implementation = machine.implementations.actions[type] as Implementation | undefined;
    if (typeof implementation !== "function") throw new Error(`there is no action ${type}`);
    if ("assignment" in implementation) {
      const { assignment } = implementation;
      return (args) => assigned(args, assignment, params);
    }
    if ("type" in implementation) throw new Error(`${type} is no action of a flat machine`);
    return (args) => {
      implementation(args, params);
      return args.context;
    };
  });
}

type Implementation = ((args: Args, params: unknown) => void) & { readonly assignment?: unknown };

function assigned(args: Args, assignment: unknown, params: unknown): unknown {
  const valueOf = (part: Assign) => typeof part === "function" ? part(args, params) : part;
  if (typeof assignment === "function") {
    return { ...args.context as object, ...valueOf(assignment) as object };
  }
  const changes = Object.entries(assignment as object).map(([key, part]) => [key, valueOf(part)]);
  return { ...args.context as object, ...Object.fromEntries(changes) };
}

function delayOf(machine: AnyStateMachine, name: string): (args: Args) => number {
  const delay: unknown = machine.implementations.delays[name];
  if (typeof delay === "number") return () => delay;
  if (typeof delay === "function") return (args) => delay(args, undefined) as number;
  throw new Error(`there is no delay ${name}`);
}

function only(raw: object, keys: readonly string[]): void {
  const other = Object.keys(raw).find((key) => !keys.includes(key));
  if (other !== undefined) throw new Error(`a flat machine has no ${other}`);
}
