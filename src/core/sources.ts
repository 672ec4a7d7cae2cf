/** How much of something each source address holds. */
export class SourceCounter {
  readonly #counts = new Map<string, number>();
  readonly #most: number;
  #total = 0;

  /** @param most for one source */
  constructor(most: number) {
    this.#most = most;
  }

  get total(): number {
    return this.#total;
  }

  /** False where the source has as many as it may. */
  take(source: string): boolean {
    const count = this.#counts.get(source) ?? 0;
    if (count >= this.#most) return false;
    this.#counts.set(source, count + 1);
    this.#total++;
    return true;
  }

  release(source: string): void {
    const count = this.#counts.get(source);
    if (count === undefined) return;
    if (count === 1) this.#counts.delete(source);
    else this.#counts.set(source, count - 1);
    this.#total--;
  }
}

/** What counts as one source: an IPv4 address, or the /64 that one IPv6 customer has. */
export function sourceOf(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.split("%")[0]!.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const missing = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array.from({ length: missing }, () => "0"), ...after];
  return groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16)).join(":");
}

/** Whether an address is one of this machine to itself. */
export function isLoopback(address: string): boolean {
  return address === "::1" || /^127(?:\.\d{1,3}){3}$/.test(address);
}
