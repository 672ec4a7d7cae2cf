/// <reference lib="dom" />
import { useEffect, useState } from "preact/hooks";

export const VIEWS = [
  { id: "calls", name: "Calls" },
  { id: "phones", name: "Phones" },
  { id: "trunks", name: "Trunks" },
  { id: "accounts", name: "Accounts" },
  { id: "workers", name: "Workers" },
] as const;

export type View = (typeof VIEWS)[number]["id"];

export interface Place {
  readonly view: View;
  /** The call whose details are open. */
  readonly call: string | null;
}

/** What an address's hash says: `#view=phones`, `#call=ID`, or both. Pure. */
export function placeOf(hash: string): Place {
  const parameters = new URLSearchParams(hash.replace(/^#/, ""));
  const view = VIEWS.find(({ id }) => id === parameters.get("view"))?.id ?? "calls";
  return { view, call: parameters.get("call") };
}

export function hashOf({ view, call }: Place): string {
  const parameters = new URLSearchParams({
    ...(view === "calls" ? {} : { view }),
    ...(call === null ? {} : { call }),
  });
  return parameters.size === 0 ? "" : `#${parameters}`;
}

/** The place stands in the address, so that it can be sent to a colleague. */
export function useView(): Place & { select(call: string | null): void } {
  const [place, setPlace] = useState(() => placeOf(location.hash));
  useEffect(() => {
    const follow = () => setPlace(placeOf(location.hash));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return {
    ...place,
    select(call) {
      const next = { ...place, call };
      history.pushState(null, "", `${location.pathname}${hashOf(next)}`);
      setPlace(next);
    },
  };
}
