import type { CallState } from "./state.ts";

/** The calls as they are shown, and which one has the stage. Each change is told at once. */
export class CallList {
  #calls: readonly CallState[] = [];
  #activeKey: number | null = null;
  #lastKey = 0;

  constructor(
    readonly onChange: (calls: readonly CallState[], activeKey: number | null) => void,
  ) {}

  get activeKey(): number | null {
    return this.#activeKey;
  }

  find(key: number): CallState | undefined {
    return this.#calls.find((call) => call.key === key);
  }

  add(of: Pick<CallState, "direction" | "peer" | "hasVideo" | "phase">): number {
    const key = ++this.#lastKey;
    this.#calls = [...this.#calls, {
      ...of,
      key,
      hasCamera: false,
      isMuted: false,
      isCameraOff: false,
      isHoldPending: false,
      connectedAt: null,
      quality: null,
      isSilent: false,
      digits: "",
      transferTo: null,
    }];
    // Nobody on the stage: whoever rings gets it.
    this.#activeKey ??= key;
    this.#changed();
    return key;
  }

  patch(key: number, change: Partial<Omit<CallState, "key">>): void {
    this.#calls = this.#calls.map((call) => call.key === key ? { ...call, ...change } : call);
    this.#changed();
  }

  activate(key: number): void {
    this.#activeKey = key;
    this.#changed();
  }

  remove(key: number): void {
    this.#calls = this.#calls.filter((call) => call.key !== key);
    if (this.#activeKey === key) {
      // What rings comes first, then whoever waits (held until it is resumed).
      const next = this.#calls.find((call) => call.phase === "incoming") ?? this.#calls[0];
      this.#activeKey = next?.key ?? null;
    }
    this.#changed();
  }

  clear(): void {
    this.#calls = [];
    this.#activeKey = null;
    this.#changed();
  }

  #changed(): void {
    this.onChange(this.#calls, this.#activeKey);
  }
}
