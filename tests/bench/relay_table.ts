import { parseArgs } from "node:util";
import type { MediaEvent } from "../../src/rtp/contract.ts";
import { StateMemory } from "../../src/rtp/engine/state_memory.ts";
import { Descriptors } from "../../src/rtp/io/ffi/descriptors.ts";
import { STATE_BLOCKS } from "../../src/rtp/io/ffi/estate.ts";
import { Ipv6Names } from "../../src/rtp/io/ffi/ipv6_names.ts";
import { EFD_CLOEXEC, EFD_NONBLOCK, openLibc } from "../../src/rtp/io/ffi/libc.ts";
import { Ring } from "../../src/rtp/io/ffi/ring.ts";
import { Wire } from "../../src/rtp/io/ffi/wire.ts";
import { splitTable } from "./relay/table.ts";
import type { TableStart } from "./relay/table_worker.ts";

/**
 * Relays a call table with one production media worker until SIGTERM:
 * `deno run -A tests/bench/relay_table.ts TABLE [--workers N]`. The columns are in
 * `relay/table.ts`. Linux only.
 */
const { values, positionals: [file] } = parseArgs({
  allowPositionals: true,
  options: { workers: { type: "string", default: "1" } },
});
if (file === undefined) {
  console.error("usage: deno run -A tests/bench/relay_table.ts TABLE [--workers N]");
  Deno.exit(2);
}

const libc = openLibc();
// Told apart from the workers' by those who read --trace-gc.
(globalThis as { gc?: () => void }).gc?.();

async function serve(table: string): Promise<never> {
  const start: TableStart = {
    table,
    attachment: {
      type: "attach",
      commands: Ring.memory(1 << 16),
      events: Ring.memory(1 << 21),
      descriptors: Descriptors.memory(),
      state: new SharedArrayBuffer(StateMemory.bytes(STATE_BLOCKS)),
      names: new SharedArrayBuffer(Ipv6Names.BYTES),
      eventDescriptor: libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
    },
  };
  const worker = new Worker(new URL("./relay/table_worker.ts", import.meta.url), {
    type: "module",
    name: "media worker",
  });
  worker.onerror = (event) => {
    event.preventDefault();
    console.error(event.message);
    Deno.exit(1);
  };
  worker.postMessage(start);
  const events = new Ring(start.attachment.events);
  const wire = new Wire();
  let ready: string | null = null;
  let toldAt = -Infinity;
  while (true) {
    await events.wait(1000);
    for (let bytes = events.read(); bytes !== null; bytes = events.read()) {
      const event = wire.decode(bytes) as MediaEvent;
      if (event.type === "ready") ready = `relay up: ${event.shell} (${event.why})`;
      else if (event.type === "fault") console.error(event.text);
      else if (event.type === "statistics") {
        // The first of them tells that all legs are open.
        if (ready !== null) console.error(ready);
        ready = null;
        if (performance.now() < toldAt + 1000) continue;
        toldAt = performance.now();
        console.log(`packets ${event.packets}`);
      }
    }
  }
}

Deno.addSignalListener("SIGTERM", () => Deno.exit(0));
Deno.addSignalListener("SIGINT", () => Deno.exit(0));

const tables = splitTable(Deno.readTextFileSync(file), Number(values.workers));
await Promise.all(tables.map(serve));
