/// <reference lib="dom" />
import { useEffect, useState } from "preact/hooks";

const POLL_MS = 3_000;

export interface Fresh<T> {
  /** Undefined before the first answer; after that the last one. */
  readonly value: T | undefined;
  /** Looks at once, for whoever has just changed something. */
  refresh(): void;
}

/** Keeps one list fresh while it is on show: with the feed's looks, and by itself. */
export function useFresh<T>(load: () => Promise<T>, looks: number): Fresh<T> {
  const [value, setValue] = useState<T>();
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let isCurrent = true;
    const look = () =>
      load().then((found) => {
        if (isCurrent) setValue(found);
      }).catch(() => {
        // The page says that the server can't be reached; the last list stays.
      });
    void look();
    const timer = setInterval(() => {
      if (!document.hidden) void look();
    }, POLL_MS);
    return () => {
      isCurrent = false;
      clearInterval(timer);
    };
  }, [load, looks, turn]);
  return { value, refresh: () => setTurn((last) => last + 1) };
}
