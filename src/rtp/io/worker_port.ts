import type { WorkerFactory } from "../contract.ts";

/** Gives workers of this module file behind the port that the pool knows. */
export function workerFactory<Command, Event>(module: URL): WorkerFactory<Command, Event> {
  return (name, listener) => {
    const worker = new Worker(module, { type: "module", name });
    let alive = true;
    const die = (text: string) => {
      if (!alive) return;
      alive = false;
      worker.terminate();
      listener.onDeath(text);
    };
    worker.onmessage = (message: MessageEvent<Event>) => {
      if (alive) listener.onEvent(message.data);
    };
    worker.onmessageerror = () => die("a message could not be read");
    worker.onerror = (event) => {
      // Without this a fault in one worker ends the whole process.
      event.preventDefault();
      die(event.message);
    };
    return {
      send: (command) => {
        if (alive) worker.postMessage(command);
      },
      terminate: () => {
        alive = false;
        worker.terminate();
      },
    };
  };
}
