/// <reference lib="dom" />
import type { ComponentChildren } from "preact";
import { useId, useState } from "preact/hooks";

/** From so many rows on there is a field to look for some. */
const FILTER_FROM = 10;
const FIRST_ROWS = 25;
const MORE_ROWS = 100;
/** As the API takes it, UTF-16 units. */
const LONGEST_QUERY = 256;

/** Rows whose text has all the words that were typed, in any order. Pure. */
export function matching<T>(
  items: readonly T[],
  query: string,
  textOf: (item: T) => string,
): readonly T[] {
  const words = query.toLowerCase().split(/\s+/).filter((word) => word !== "");
  if (words.length === 0) return items;
  return items.filter((item) => {
    const text = textOf(item).toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

export interface ListTools<T> {
  /** What was typed. */
  readonly query: string;
  /** What is to be drawn: those that match, the first so many. */
  readonly rows: readonly T[];
  /** Above the rows, where the list is long. */
  readonly filter: ComponentChildren;
  /** Below the rows: how many there are beside. */
  readonly more: ComponentChildren;
}

/** Keeps long lists short: a filter by text, and rows in portions. */
export function useListTools<T>(
  items: readonly T[],
  noun: string,
  textOf: (item: T) => string,
): ListTools<T> {
  const [query, setQuery] = useState("");
  const [limit, setLimit] = useState(FIRST_ROWS);
  const id = useId();
  const found = matching(items, query, textOf);
  const rows = found.slice(0, limit);
  const left = found.length - rows.length;
  // It stays while something is typed, even if the list has become short meanwhile.
  const filter = (items.length > FILTER_FROM || query !== "") && (
    <div class="filter">
      <label class="unseen" for={id}>Filter {noun}</label>
      <input
        id={id}
        type="search"
        autocomplete="off"
        spellcheck={false}
        maxLength={LONGEST_QUERY}
        placeholder={`Filter ${noun}`}
        value={query}
        onInput={(event) => setQuery(event.currentTarget.value)}
      />
      <span class="sub" role="status">
        {query !== "" && `${found.length} of ${items.length}`}
      </span>
    </div>
  );
  const more = left > 0 && (
    <button
      type="button"
      class="button"
      onClick={() => setLimit(limit + MORE_ROWS)}
    >
      {left <= MORE_ROWS
        ? `Show ${left} more ${noun}`
        : `Show the next ${MORE_ROWS} of ${left} more ${noun}`}
    </button>
  );
  return { query, rows, filter, more };
}
