/** What was measured of one figure, and what it has to be. */
export interface Figure {
  readonly name: string;
  readonly values: readonly number[];
  readonly unit?: string;
  readonly must?: number;
  readonly aim?: number;
  /** Whether more is better; default: less. */
  readonly isMoreBetter?: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]!
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

function digits(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  return value.toFixed(size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2);
}

/** All figures of a run of the bench. */
export class Summary {
  readonly #figures: Figure[] = [];

  add(...figures: readonly Figure[]): void {
    this.#figures.push(...figures);
  }

  /** Whether every MUST is met by the median. */
  get isMet(): boolean {
    return this.#figures.every((figure) => {
      return figure.must === undefined || reaches(figure, figure.must);
    });
  }

  print(): void {
    console.log("\n## Summary\n");
    printRow("figure", "min", "median", "max", "must", "aim", "");
    printRow("---", "---", "---", "---", "---", "---", "---");
    for (const figure of this.#figures) {
      const { name, values, unit, must, aim, isMoreBetter } = figure;
      const limit = (value?: number) =>
        value === undefined ? "" : `${isMoreBetter ? ">=" : "<="} ${value}`;
      printRow(
        unit === undefined ? name : `${name}, ${unit}`,
        ...[Math.min(...values), median(values), Math.max(...values)].map(digits),
        limit(must),
        limit(aim),
        verdict(figure),
      );
    }
  }
}

function reaches({ values, isMoreBetter }: Figure, limit: number): boolean {
  const value = median(values);
  return isMoreBetter ? value >= limit : value <= limit;
}

function verdict(figure: Figure): string {
  if (figure.values.length === 0) return "NOT MEASURED";
  const said = [];
  if (figure.must !== undefined) {
    said.push(reaches(figure, figure.must) ? "MUST met" : "MUST NOT MET");
  }
  if (figure.aim !== undefined) said.push(reaches(figure, figure.aim) ? "AIM met" : "AIM missed");
  return said.join(", ");
}

export function printRow(...cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}
