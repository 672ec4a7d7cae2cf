import { err, ok, type Result } from "./result.ts";

const PATTERN = /^[0-9+*#XNZ]*[.!]?$/;
const CLASSES: Readonly<Record<string, string>> = {
  X: "[0-9]",
  Z: "[1-9]",
  N: "[2-9]",
  "+": "\\+",
  "*": "\\*",
  ".": ".+",
  "!": ".*",
};

/**
 * A pattern of whole numbers: digits, `+`, `*`, `#` for themselves, `X` any digit, `Z` 1 to 9, `N`
 * 2 to 9, at the end `.` for one or more of anything and `!` for any rest; or a regular expression
 * that begins with `^`. The fault is a sentence.
 */
export function compilePattern(text: string): Result<RegExp, string> {
  if (text.startsWith("^")) {
    try {
      return ok(new RegExp(`^(?:${text.slice(1).replace(/\$$/, "")})$`));
    } catch {
      return err(`${JSON.stringify(text)} is no regular expression`);
    }
  }
  if (text === "" || !PATTERN.test(text)) {
    return err(`${JSON.stringify(text)} is no pattern of a number`);
  }
  return ok(new RegExp(`^${[...text].map((char) => CLASSES[char] ?? char).join("")}$`));
}
