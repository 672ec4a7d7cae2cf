import { ALLOW } from "../dialog/requests.ts";
import type { UsageHooks } from "./usage_events.ts";

/** Value of Allow in a call: what it takes, one method each. */
export function allowOf({ info, refer, referProgress }: UsageHooks = {}): string[] {
  return [
    ...ALLOW,
    ...(info ? ["INFO"] : []),
    ...(refer ? ["REFER"] : []),
    ...(referProgress ? ["NOTIFY"] : []),
  ];
}
