/** Pseudo-random choices that a seed repeats. */
export interface Random {
  /** A whole number from `least` to `most`, both included. */
  int(least: number, most: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
}

export interface Violation {
  readonly scenario: string;
  readonly step: string;
  readonly what: string;
  /** The end of the ledger, or whatever shows it. */
  readonly excerpt: readonly string[];
}

/** One session of trouble: its seed, what was done, and which of rhythm's promises did not hold. */
export interface Chaos {
  readonly seed: number;
  readonly random: Random;
  /** What was done, in the order in which it first happened: `scenario`, `what`, how often. */
  readonly counts: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly violations: readonly Violation[];
  /** Names what follows. */
  enter(scenario: string): void;
  count(what: string, times?: number): void;
  violate(step: string, what: string, excerpt: readonly string[]): void;
}

/** @param onViolation is told at once, for the whole may take long */
export function makeChaos(seed: number, onViolation: (violation: Violation) => void = () => undefined): Chaos {
  const counts = new Map<string, Map<string, number>>();
  const violations: Violation[] = [];
  let scenario = '';
  return {
    seed,
    random: makeRandom(seed),
    counts,
    violations,
    enter(name) {
      scenario = name;
      if (!counts.has(name)) counts.set(name, new Map());
    },
    count(what, times = 1) {
      const table = counts.get(scenario) ?? new Map<string, number>();
      table.set(what, (table.get(what) ?? 0) + times);
    },
    violate(step, what, excerpt) {
      const violation = { scenario, step, what, excerpt };
      violations.push(violation);
      onViolation(violation);
    },
  };
}

/** The seed that the environment names, or a new one. */
export function chooseSeed(environment: NodeJS.ProcessEnv): number {
  const given = Number(environment.SEED);
  return Number.isInteger(given) && given > 0 ? given : (Date.now() % 1_000_000_000) + 1;
}

/** What was done, as a table, and how many promises did not hold. */
export function describeChaos({ seed, counts, violations }: Chaos): string {
  const rows = [...counts].flatMap(([scenario, table]) => [...table].map(([what, times]) => [scenario, what, times]));
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => String(row[column]).length)));
  const lines = rows.map(([scenario, what, times]) =>
    [
      String(scenario).padEnd(widths[0] ?? 0),
      String(what).padEnd(widths[1] ?? 0),
      String(times).padStart(widths[2] ?? 0),
    ].join('  '),
  );
  lines.push('', `${violations.length} violations; SEED=${seed} repeats the choices.`);
  return lines.join('\n');
}

export function describeViolation({ scenario, step, what, excerpt }: Violation): string {
  return [`VIOLATION in ${scenario}, ${step}: ${what}`, ...excerpt.map((line) => `    ${line}`), ''].join('\n');
}

/** Mulberry32: 32 bits of state are plenty for choosing when to pull a plug. */
function makeRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    int: (least, most) => least + Math.floor(next() * (most - least + 1)),
    chance: (probability) => next() < probability,
    pick: <T>(items: readonly T[]) => items[Math.floor(next() * items.length)] as T,
  };
}
