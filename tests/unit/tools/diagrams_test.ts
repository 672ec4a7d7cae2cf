import assert from "node:assert/strict";
import { assign, setup } from "xstate";
import { diagramOf, machinesOf, withDiagram } from "../../../tools/diagrams.ts";

const ROOT = decodeURIComponent(new URL("../../../", import.meta.url).pathname);

const door = setup({
  types: { events: {} as { type: "push" | "lock" | "unlock" | "fire" | "knock" | "look" } },
  guards: { hasKey: () => true, is: (_, _params: { kinds: readonly string[] }) => true },
  actions: { ring: assign({}) },
  delays: { spring: 1_500, patience: () => 7 },
}).createMachine({
  id: "door",
  initial: "closed",
  on: { fire: ".gone", "xstate.error.actor.*": ".gone", knock: { actions: "ring" } },
  states: {
    closed: {
      on: { push: "open", lock: { guard: "hasKey", target: "barred" }, look: {} },
    },
    open: {
      initial: "still",
      after: { spring: "closed", patience: "closed" },
      states: { still: { on: { push: "swinging" } }, swinging: { after: { 250: "still" } } },
    },
    barred: {
      always: { guard: { type: "is", params: { kinds: ["a", "b"] } }, target: "gone" },
      on: { unlock: [{ target: "closed" }, { actions: "ring" }] },
    },
    gone: { type: "final" },
  },
});

Deno.test("tools/diagrams: every machine of the actors carries its diagram, and it is current", async () => {
  const machines = await machinesOf(ROOT);
  const names = machines.map(({ path }) => path.replace("src/actors/", ""));
  for (const name of ["call.ts", "session.ts", "sip_dialog.ts", "webrtc_leg.ts"]) {
    assert(names.includes(name), `${name} is not among ${names}`);
  }
  for (const { path, machine } of machines) {
    const text = Deno.readTextFileSync(ROOT + path);
    assert(text.includes(" * ```mermaid\n"), `${path} has no diagram: run deno task diagrams`);
    const isCurrent = withDiagram(path, text, machine) === text;
    assert(isCurrent, `${path}: its diagram is stale: run deno task diagrams`);
  }
});

Deno.test("tools/diagrams: states, events, guards, delays, nesting, what holds everywhere", () => {
  assert.deepEqual(diagramOf(door), [
    "stateDiagram-v2",
    "  [*] --> closed",
    "  closed --> open : push",
    "  closed --> barred : lock [hasKey]",
    "  state open {",
    "    [*] --> still",
    "    still --> swinging : push",
    "    swinging --> still : after 250 ms",
    "  }",
    "  open --> closed : after spring 1500 ms, after patience",
    "  barred --> closed : unlock",
    "  barred --> gone : [is a or b]",
    "  note right of barred : stays on unlock",
    "  gone --> [*]",
    "  note right of closed",
    "    every state to gone on fire, fault of a child",
    "    every state stays on knock",
    "  end note",
  ]);
});

Deno.test("tools/diagrams: long labels are broken, and no line is too long", () => {
  const events = Array.from({ length: 20 }, (_, i) => `somethingHappened${i}`);
  const machine = setup({}).createMachine({
    initial: "a",
    states: { a: { on: Object.fromEntries(events.map((event) => [event, "b"])) }, b: {} },
  });
  const lines = diagramOf(machine);
  const arrows = lines.filter((line) => line.startsWith("  a --> b : "));
  assert(arrows.length > 1);
  assert(lines.every((line) => line.length + 3 <= 100));
  const said = arrows.flatMap((line) => line.slice("  a --> b : ".length).split(", "));
  assert.deepEqual(said, events);
});

Deno.test("tools/diagrams: the mark becomes the diagram, an old diagram the new one, twice is once", () => {
  const marked = "/**\n * A door.\n *\n * @mermaid\n */\nexport const door = 1;\n";
  const drawn = withDiagram("door.ts", marked, door);
  assert.match(drawn, /^\/\*\*\n \* A door\.\n \*\n \* ```mermaid\n \* stateDiagram-v2\n/);
  assert(drawn.endsWith(" *   end note\n * ```\n */\nexport const door = 1;\n"));
  assert.equal(withDiagram("door.ts", drawn, door), drawn);
  const stale = drawn.replace("lock [hasKey]", "lock");
  assert.notEqual(stale, drawn);
  assert.equal(withDiagram("door.ts", stale, door), drawn);
  assert.throws(() => withDiagram("door.ts", "/** A door. */\n", door), /0 marks/);
  assert.throws(() => withDiagram("door.ts", marked + marked, door), /2 marks/);
});

Deno.test("tools/diagrams: a target that can't be drawn is said, not drawn wrongly", () => {
  const machine = setup({}).createMachine({
    id: "far",
    initial: "a",
    states: { a: { on: { go: "#far.b" } }, b: {} },
  });
  assert.throws(() => diagramOf(machine), /"#far.b" of a can't be drawn/);
});
