/// <reference lib="dom" />

/** What windows of one browser tell each other. */
interface Hello {
  readonly kind: "hello" | "here";
  readonly name: string;
}

/**
 * Finds out whether another window of this browser is online with the same name: then both ring,
 * which surprises whoever wanted to call from one to the other.
 */
export class Neighbours {
  readonly #channel = typeof BroadcastChannel === "undefined"
    ? undefined
    : new BroadcastChannel("portzero.names");
  #name = "";

  /** @param onNamesake another window has this name too; told in both */
  constructor(onNamesake: (name: string) => void) {
    this.#channel?.addEventListener("message", (event: MessageEvent) => {
      const hello = readHello(event.data);
      if (hello === undefined || this.#name === "" || hello.name !== this.#name) return;
      if (hello.kind === "hello") this.#say("here");
      onNamesake(this.#name);
    });
  }

  /** @param name empty: offline */
  online(name: string): void {
    if (name === this.#name) return;
    this.#name = name;
    if (name !== "") this.#say("hello");
  }

  #say(kind: Hello["kind"]): void {
    this.#channel?.postMessage({ kind, name: this.#name } satisfies Hello);
  }
}

function readHello(data: unknown): Hello | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const { kind, name } = data as Partial<Record<keyof Hello, unknown>>;
  return (kind === "hello" || kind === "here") && typeof name === "string"
    ? { kind, name }
    : undefined;
}
