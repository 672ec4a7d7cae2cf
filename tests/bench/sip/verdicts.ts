/** A figure beside what is asked of it. */
export interface Verdict {
  readonly what: string;
  readonly value: number;
  /** What stands behind the number. */
  readonly unit: string;
  /** Digits after the point. */
  readonly digits?: number;
  /** At most so much. */
  readonly must?: number;
  readonly aim?: number;
}

function met(value: number, limit: number | undefined, word: string): string {
  if (limit === undefined) return "";
  return `${word} <= ${limit} ${value <= limit ? "met" : "MISSED"}`;
}

/** The end of a section: each figure with MUST and AIM, met or not. */
export function printVerdicts(title: string, verdicts: readonly Verdict[]): void {
  console.log(`\n${title}`);
  const widest = Math.max(...verdicts.map(({ what }) => what.length));
  for (const { what, value, unit, digits = 1, must, aim } of verdicts) {
    const figure = `${value.toFixed(digits).padStart(9)} ${unit}`.padEnd(16);
    const words = [met(value, must, "MUST"), met(value, aim, "AIM")].filter((word) => word !== "");
    console.log(`  ${what.padEnd(widest)} ${figure} ${words.join(", ")}`);
  }
  console.log();
}
