/// <reference lib="dom" />
import { useEffect, useState } from "preact/hooks";

/** The time, renewed each `everyMs`, for whatever counts. Milliseconds since the epoch. */
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
