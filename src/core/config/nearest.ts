/** Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`, in any case. */
export function editDistance(a: string, b: string): number {
  const x = a.toLowerCase();
  const y = b.toLowerCase();
  let older: number[] = [];
  let old = Array.from({ length: y.length + 1 }, (_, j) => j);
  for (let i = 1; i <= x.length; i++) {
    const row = [i];
    for (let j = 1; j <= y.length; j++) {
      const replace = old[j - 1]! + (x[i - 1] === y[j - 1] ? 0 : 1);
      let least = Math.min(row[j - 1]! + 1, old[j]! + 1, replace);
      if (i > 1 && j > 1 && x[i - 1] === y[j - 2] && x[i - 2] === y[j - 1]) {
        least = Math.min(least, older[j - 2]! + 1);
      }
      row.push(least);
    }
    older = old;
    old = row;
  }
  return old[y.length]!;
}

/**
 * The known name that is nearest to `unknown`; the first of several. A name without dots is also
 * held against the last part of dotted ones, since leaving out the group is a common slip.
 */
export function nearest(unknown: string, known: Iterable<string>): string {
  let best = "";
  let least = Infinity;
  for (const name of known) {
    let distance = editDistance(unknown, name);
    if (!unknown.includes(".") && name.includes(".")) {
      const last = name.slice(name.lastIndexOf(".") + 1);
      distance = Math.min(distance, editDistance(unknown, last) + 0.5);
    }
    if (distance < least) {
      least = distance;
      best = name;
    }
  }
  return best;
}
