/** Fewer values than this are no median to judge by. */
export const FEWEST_VALUES = 3;

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
  readonly #isJudged: boolean;

  /** @param isJudged whether it is said what meets its MUST */
  constructor(isJudged = true) {
    this.#isJudged = isJudged;
  }

  add(...figures: readonly Figure[]): void {
    this.#figures.push(...figures);
  }

  /** Whether every MUST is met by the median of enough values. */
  get isMet(): boolean {
    return this.#figures.every((figure) => {
      return figure.must === undefined ||
        figure.values.length >= FEWEST_VALUES && reaches(figure, figure.must);
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
        values.length === 0 || this.#isJudged ? verdict(figure) : "not judged",
      );
    }
  }
}

function reaches({ values, isMoreBetter }: Figure, limit: number): boolean {
  const value = median(values);
  return isMoreBetter ? value >= limit : value <= limit;
}

function verdict(figure: Figure): string {
  const { length } = figure.values;
  if (length === 0) return "NOT MEASURED";
  if ((figure.must ?? figure.aim) === undefined) return "";
  if (length < FEWEST_VALUES) return `NOT MEASURED: ${length} of at least ${FEWEST_VALUES} values`;
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
