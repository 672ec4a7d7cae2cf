/**
 * Keeps a Mermaid state diagram in the doc comment of every machine of `src/actors`, made from the
 * machine itself: `deno task diagrams` writes, `--check` only tells what is stale (exit code 1).
 */
import type { AnyStateMachine } from "xstate";

const FOLDER = "src/actors/";
const MARK = / \* @mermaid\n| \* ```mermaid\n(?: \*.*\n)*? \* ```\n/g;
const MAX_COLUMNS = 100;
/** Columns of ` * ` before each line. */
const INDENT = 3;

/** What is read of a state's configuration; XState's own types allow far more than we use. */
interface StateConfig {
  readonly type?: string;
  readonly initial?: string;
  readonly states?: Readonly<Record<string, StateConfig>>;
  readonly on?: Readonly<Record<string, unknown>>;
  readonly always?: unknown;
  readonly after?: Readonly<Record<string, unknown>>;
}

interface Transition {
  readonly target: string | undefined;
  readonly guard: string | undefined;
  readonly hasActions: boolean;
}

interface Arrow {
  readonly to: string;
  readonly label: string;
}

interface MachineFile {
  readonly path: string;
  readonly machine: AnyStateMachine;
}

/** The machine of each file; a file with two of them, or with a hidden one, is a fault. */
export async function machinesOf(root: string): Promise<MachineFile[]> {
  const found: MachineFile[] = [];
  for (const path of codeIn(root, FOLDER)) {
    if (!/\bcreateMachine\(/.test(Deno.readTextFileSync(root + path))) continue;
    const url = new URL(`../${path}`, import.meta.url);
    const module: Record<string, unknown> = await import(url.href);
    const machines = Object.values(module).filter(isMachine);
    if (machines.length !== 1) {
      throw new Error(`${path}: ${machines.length} machines are exported; one a file is the rule`);
    }
    found.push({ path, machine: machines[0]! });
  }
  return found;
}

function codeIn(root: string, folder: string): string[] {
  return [...Deno.readDirSync(root + folder)].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return codeIn(root, `${folder}${name}/`);
    return name.endsWith(".ts") ? [folder + name] : [];
  }).sort();
}

function isMachine(value: unknown): value is AnyStateMachine {
  return typeof value === "object" && value !== null && "config" in value &&
    "implementations" in value && "getInitialSnapshot" in value;
}

/** `text` with the diagram in the place of its mark or of the diagram that stands there. */
export function withDiagram(path: string, text: string, machine: AnyStateMachine): string {
  const marks = text.match(MARK)?.length ?? 0;
  if (marks !== 1) {
    throw new Error(`${path}: ${marks} marks "@mermaid" in its doc comment, not one`);
  }
  const lines = ["```mermaid", ...diagramOf(machine), "```"];
  return text.replace(MARK, () => lines.map((line) => ` * ${line}`.trimEnd() + "\n").join(""));
}

/** The lines of a `stateDiagram-v2`. */
export function diagramOf(machine: AnyStateMachine): string[] {
  const root = machine.config as StateConfig;
  const drawing = new Drawing(machine);
  const lines = ["stateDiagram-v2", ...drawing.level(root, "  ")];
  const everywhere = byTarget(drawing.arrowsOf(root, undefined));
  if (everywhere.size > 0 && root.initial !== undefined) {
    const texts = [...everywhere].map(([to, labels]): [string, string[]] => [
      to === "" ? "every state stays on" : `every state to ${to} on`,
      labels,
    ]);
    lines.push(...note(root.initial, texts, "  "));
  }
  return lines;
}

class Drawing {
  readonly #delays: Readonly<Record<string, unknown>>;

  constructor(machine: AnyStateMachine) {
    this.#delays = machine.implementations.delays as Readonly<Record<string, unknown>>;
  }

  level({ initial, states, type }: StateConfig, indent: string): string[] {
    const lines = initial === undefined ? [] : [`${indent}[*] --> ${initial}`];
    for (const [index, [name, state]] of Object.entries(states ?? {}).entries()) {
      // Regions of a state that are in force at the same time.
      if (type === "parallel" && index > 0) lines.push(`${indent}--`);
      if (state.states) {
        lines.push(`${indent}state ${name} {`, ...this.level(state, `${indent}  `), `${indent}}`);
      }
      const arrows = this.arrowsOf(state, name);
      for (const [to, labels] of byTarget(arrows.filter((arrow) => arrow.to !== ""))) {
        lines.push(...arrowLines(`${indent}${name} --> ${to}`, labels));
      }
      const stays = arrows.filter((arrow) => arrow.to === "").map((arrow) => arrow.label);
      if (stays.length > 0) lines.push(...note(name, [["stays on", stays]], indent));
      if (state.type === "final") lines.push(`${indent}${name} --> [*]`);
    }
    return lines;
  }

  /** All ways out of a state; an empty `to` stays in it. What is only ignored is left out. */
  arrowsOf(state: StateConfig, name: string | undefined): Arrow[] {
    const arrows: Arrow[] = [];
    const add = (what: string, config: unknown) => {
      for (const { target, guard, hasActions } of transitionsOf(config)) {
        if (target === undefined && !hasActions) continue;
        const label = [what, guard === undefined ? "" : `[${guard}]`].filter(Boolean).join(" ");
        arrows.push({ to: target === undefined ? "" : nameOf(target, name), label });
      }
    };
    for (const [event, config] of Object.entries(state.on ?? {})) add(eventName(event), config);
    add("", state.always);
    for (const [delay, config] of Object.entries(state.after ?? {})) {
      add(`after ${this.#delay(delay)}`, config);
    }
    return arrows;
  }

  #delay(name: string): string {
    const value = this.#delays[name] ?? (/^\d+$/.test(name) ? Number(name) : undefined);
    if (typeof value !== "number") return name;
    const time = value % 1_000 === 0 ? `${value / 1_000} s` : `${value} ms`;
    return String(value) === name ? time : `${name} ${time}`;
  }
}

/** Sibling, or child of the state that says it; nothing else is in use. */
function nameOf(target: string, from: string | undefined): string {
  const name = target.startsWith(".") ? target.slice(1) : target;
  if (!/^\w+$/.test(name)) {
    throw new Error(`a target "${target}" of ${from ?? "root"} can't be drawn`);
  }
  return name;
}

function eventName(event: string): string {
  if (event.startsWith("xstate.error.actor")) return "fault of a child";
  return event.startsWith("xstate.done.actor") ? "end of a child" : event;
}

function transitionsOf(config: unknown): Transition[] {
  if (config === undefined) return [];
  if (Array.isArray(config)) return config.flatMap(transitionsOf);
  if (typeof config === "string") return [{ target: config, guard: undefined, hasActions: false }];
  const { target, guard, actions } = config as {
    readonly target?: string;
    readonly guard?: unknown;
    readonly actions?: unknown;
  };
  return [{ target, guard: guardName(guard), hasActions: actions !== undefined }];
}

function guardName(guard: unknown): string | undefined {
  if (guard === undefined || typeof guard === "string") return guard;
  const { type, params } = guard as { readonly type: string; readonly params?: object };
  const values = Object.values(params ?? {}).flat().map(String);
  return values.length === 0 ? type : `${type} ${values.join(" or ")}`;
}

function byTarget(arrows: readonly Arrow[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { to, label } of arrows) {
    const labels = found.get(to);
    if (labels) labels.push(label);
    else found.set(to, [label]);
  }
  return found;
}

/** One arrow, or as many as its labels need columns. */
function arrowLines(arrow: string, labels: readonly string[]): string[] {
  const named = labels.filter(Boolean);
  if (named.length === 0) return [arrow];
  return wrap(named, MAX_COLUMNS - INDENT - arrow.length - 3)
    .map((label) => `${arrow} : ${label.replace(/,$/, "")}`);
}

/** A note beside a state: each text a title and what it lists. */
function note(
  state: string,
  texts: readonly (readonly [title: string, words: readonly string[]])[],
  indent: string,
): string[] {
  const columns = MAX_COLUMNS - INDENT - indent.length - 2;
  const lines = texts.flatMap(([title, [first, ...rest]]) =>
    wrap([`${title} ${first}`, ...rest], columns)
  );
  const single = `${indent}note right of ${state} : ${lines[0]}`;
  if (lines.length === 1 && single.length + INDENT <= MAX_COLUMNS) return [single];
  return [
    `${indent}note right of ${state}`,
    ...lines.map((line) => `${indent}  ${line}`),
    `${indent}end note`,
  ];
}

/** Joined by commas, in lines of at most `columns` where no word is longer by itself. */
function wrap(words: readonly string[], columns: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined) lines.push(word);
    else if (last.length + word.length + 3 > columns) {
      lines[lines.length - 1] = `${last},`;
      lines.push(word);
    } else lines[lines.length - 1] = `${last}, ${word}`;
  }
  return lines;
}

/** Writes what is stale, or only names it. */
async function main(root: string, isCheck: boolean): Promise<void> {
  const stale: string[] = [];
  for (const { path, machine } of await machinesOf(root)) {
    const text = Deno.readTextFileSync(root + path);
    const wanted = withDiagram(path, text, machine);
    if (wanted === text) continue;
    stale.push(path);
    if (!isCheck) Deno.writeTextFileSync(root + path, wanted);
  }
  for (const path of stale) {
    console.log(`${path}: ${isCheck ? "stale diagram" : "diagram written"}`);
  }
  if (isCheck && stale.length > 0) Deno.exit(1);
}

if (import.meta.main) {
  const root = decodeURIComponent(new URL("../", import.meta.url).pathname);
  await main(root, Deno.args.includes("--check"));
}
