/** Numbers and times as people read them. Pure. */

/** Seconds to `0:07`, `12:34`, `1:02:03`. */
export function clockOf(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const two = (value: number) => String(value).padStart(2, "0");
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(whole % 60)}`
    : `${minutes}:${two(whole % 60)}`;
}

/** Seconds to the unit that says enough: `45 s`, `12 min`, `3 h`, `5 days`. */
export function spanOf(seconds: number): string {
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}

/** Percent with one decimal; none from 10 on. */
export function percentOf(value: number): string {
  return `${value.toFixed(value >= 10 ? 0 : 1)} %`;
}

/** Seconds between an ISO 8601 time and `now` (ms since the epoch); never negative. */
export function secondsSince(iso: string, now: number): number {
  const start = Date.parse(iso);
  return Number.isNaN(start) ? 0 : Math.max(0, (now - start) / 1000);
}

/** Bytes with a fitting unit (decimal). */
export function bytesOf(value: number): string {
  if (value < 1000) return `${value} B`;
  if (value < 1e6) return `${(value / 1e3).toFixed(1)} kB`;
  return `${(value / 1e6).toFixed(1)} MB`;
}
