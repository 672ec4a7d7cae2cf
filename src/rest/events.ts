import type { ControlPlane, DomainEvent } from "../actors/control_plane.ts";
import type { WebLimits } from "./types.ts";

/**
 * `/api/events`: facts as Server-Sent Events (WHATWG HTML 9.2). The id is the event's sequence
 * number, so a browser that comes back with Last-Event-ID misses nothing the bus still has.
 */
export class EventStreams {
  readonly #plane: ControlPlane;
  readonly #limits: WebLimits;
  readonly #open = new Set<() => void>();

  constructor(plane: ControlPlane, limits: WebLimits) {
    this.#plane = plane;
    this.#limits = limits;
  }

  get size(): number {
    return this.#open.size;
  }

  /** True where no further stream may be opened. */
  get isFull(): boolean {
    return this.#open.size >= this.#limits.eventStreams;
  }

  /** @param after sequence number of the last event that the reader has */
  open(after: number | undefined): Response {
    return new Response(this.#stream(after), {
      headers: {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      },
    });
  }

  /** Ends all streams; browsers come back by themselves. */
  close(): void {
    for (const end of [...this.#open]) end();
  }

  #stream(after: number | undefined): ReadableStream<Uint8Array> {
    let stop = (): void => {};
    const source: UnderlyingDefaultSource<Uint8Array> = {
      start: (controller) => {
        stop = this.#feed(controller, after);
      },
      cancel: () => stop(),
    };
    // Counted in chunks: what a reader may be behind before it is cut.
    return new ReadableStream(source, { highWaterMark: this.#limits.eventBacklog });
  }

  #feed(
    controller: ReadableStreamDefaultController<Uint8Array>,
    after: number | undefined,
  ): () => void {
    const encoder = new TextEncoder();
    let isOpen = true;
    let unsubscribe = (): void => {};
    const end = (finish: () => void): void => {
      if (!isOpen) return;
      isOpen = false;
      clearInterval(heartbeat);
      unsubscribe();
      this.#open.delete(close);
      finish();
    };
    const close = (): void => end(() => controller.close());
    const write = (text: string): void => {
      if (!isOpen) return;
      if ((controller.desiredSize ?? 0) > 0) return controller.enqueue(encoder.encode(text));
      // A slow reader must not grow our memory: it is cut and may come back for what it missed.
      end(() => controller.error(new Error("The reader of the event stream is too slow")));
    };
    const heartbeat = setInterval(() => write(":\n\n"), this.#limits.heartbeatMs);
    this.#open.add(close);
    write("retry: 2000\n\n");
    const stopHearing = this.#plane.subscribe(after, (event) => write(frame(event)));
    // The replay may have cut the reader before there was anything to unsubscribe.
    if (isOpen) unsubscribe = stopHearing;
    else stopHearing();
    return () => end(() => {});
  }
}

/** JSON has no raw line breaks, so one data line holds it. */
function frame(event: DomainEvent): string {
  return `id: ${event.sequence}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
