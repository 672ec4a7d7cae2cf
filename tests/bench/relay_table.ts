import type { MediaEvent } from "../../src/rtp/contract.ts";
import { Descriptors } from "../../src/rtp/io/ffi/descriptors.ts";
import { EFD_CLOEXEC, EFD_NONBLOCK, openLibc } from "../../src/rtp/io/ffi/libc.ts";
import { Ring } from "../../src/rtp/io/ffi/ring.ts";
import { Wire } from "../../src/rtp/io/ffi/wire.ts";
import type { TableStart } from "./relay/table_worker.ts";

/**
 * Relays a call table with one production media worker until SIGTERM:
 * `deno run -A tests/bench/relay_table.ts TABLE`. The columns are in `relay/table.ts`. Linux only.
 */
const [file] = Deno.args;
if (file === undefined) {
  console.error("usage: deno run -A tests/bench/relay_table.ts TABLE");
  Deno.exit(2);
}

const libc = openLibc();
const start: TableStart = {
  table: Deno.readTextFileSync(file),
  attachment: {
    type: "attach",
    commands: Ring.memory(1 << 16),
    events: Ring.memory(1 << 21),
    descriptors: Descriptors.memory(),
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

Deno.addSignalListener("SIGTERM", () => Deno.exit(0));
Deno.addSignalListener("SIGINT", () => Deno.exit(0));

const events = new Ring(start.attachment.events);
const wire = new Wire();
while (true) {
  await events.wait(1000);
  for (let bytes = events.read(); bytes !== null; bytes = events.read()) {
    const event = wire.decode(bytes) as MediaEvent;
    if (event.type === "ready") console.error(`relay up: ${event.shell} (${event.why})`);
    else if (event.type === "fault") console.error(event.text);
    else if (event.type === "statistics") console.log(`packets ${event.packets}`);
  }
}
