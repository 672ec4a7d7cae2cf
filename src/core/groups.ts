/**
 * A map to one or several values. Nearly all keys of the tables that grow (contacts of a flow,
 * bindings of an AoR) have one, which then costs no set of its own.
 */
export class Groups<K, V extends string | object> {
  readonly #groups = new Map<K, V | Set<V>>();
  #values = 0;

  /** Number of keys. */
  get size(): number {
    return this.#groups.size;
  }

  /** Number of values of all keys. */
  get valueCount(): number {
    return this.#values;
  }

  has(key: K): boolean {
    return this.#groups.has(key);
  }

  /** The values of a key, in the order in which they came; a new array. */
  valuesOf(key: K): V[] {
    const found = this.#groups.get(key);
    if (found === undefined) return [];
    return found instanceof Set ? [...found] : [found];
  }

  countOf(key: K): number {
    const found = this.#groups.get(key);
    if (found === undefined) return 0;
    return found instanceof Set ? found.size : 1;
  }

  /** The value that came first. */
  firstOf(key: K): V | undefined {
    const found = this.#groups.get(key);
    if (!(found instanceof Set)) return found;
    for (const first of found) return first;
    return undefined;
  }

  /** Adds a value, or puts it at the end where it is there already. */
  add(key: K, value: V): void {
    const found = this.#groups.get(key);
    if (found === value) return;
    if (found instanceof Set) {
      if (!found.delete(value)) this.#values++;
      found.add(value);
      return;
    }
    this.#values++;
    this.#groups.set(key, found === undefined ? value : new Set([found, value]));
  }

  /** Whether it was there. */
  delete(key: K, value: V): boolean {
    const found = this.#groups.get(key);
    if (found === undefined) return false;
    if (found instanceof Set) {
      if (!found.delete(value)) return false;
      if (found.size === 0) this.#groups.delete(key);
    } else {
      if (found !== value) return false;
      this.#groups.delete(key);
    }
    this.#values--;
    return true;
  }

  /** Takes a key away with all that it has. */
  deleteAll(key: K): V[] {
    const values = this.valuesOf(key);
    this.#values -= values.length;
    this.#groups.delete(key);
    return values;
  }
}
