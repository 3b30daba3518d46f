import { alignRows } from '../../src/report/table.ts';
import type { Cost, Spread } from './measure.ts';

/** One line of the table: what was measured, and against what. */
export interface Result {
  readonly row: string;
  readonly unit: 'ms' | 'MiB';
  readonly ours: Spread;
  /** Null where the target is a time by itself. */
  readonly base: Spread | null;
  /** What is compared with the target: by medians ours / base, for memory ours - base, or ours alone. */
  readonly value: number;
  readonly relation: 'ratio' | 'difference' | 'absolute';
  /** At most so much; null for what is only told. */
  readonly target: number | null;
  readonly met: boolean | null;
}

export function compare(row: string, ours: Spread, base: Spread, target: number | null): Result {
  return judge({ row, unit: 'ms', ours, base, value: ours.median / base.median, relation: 'ratio', target });
}

/** By the wall and by the processor. The latter says more on a machine that has other work. */
export function compareBoth(row: string, ours: Cost, base: Cost, target: number | null): Result[] {
  return [
    compare(`${row}, wall`, ours.wall, base.wall, target),
    compare(`${row}, user+sys`, ours.cpu, base.cpu, target),
  ];
}

/** @param target MiB more than the base, at most */
export function compareMemory(row: string, ours: Spread, base: Spread, target: number | null): Result {
  const value = ours.median - base.median;
  return judge({ row: `${row}, peak`, unit: 'MiB', ours, base, value, relation: 'difference', target });
}

/** @param target ms, at most */
export function limit(row: string, ours: Spread, target: number): Result {
  return judge({ row, unit: 'ms', ours, base: null, value: ours.median, relation: 'absolute', target });
}

function judge(result: Omit<Result, 'met'>): Result {
  return { ...result, met: result.target === null ? null : result.value <= result.target };
}

/** The table: medians, and the least and the most of all runs in brackets. */
export function renderResults(results: readonly Result[]): string {
  const head = ['row', 'ours', 'base', 'compared', 'target', 'met'];
  const rows = results.map(({ row, unit, ours, base, value, relation, target, met }) => {
    const tell = (number: number) =>
      relation === 'ratio'
        ? `${number.toFixed(2)} x`
        : relation === 'difference'
          ? `${number < 0 ? '' : '+'}${number.toFixed(1)} ${unit}`
          : `${number.toFixed(0)} ${unit}`;
    return [
      row,
      tellSpread(ours, unit),
      base === null ? '-' : tellSpread(base, unit),
      tell(value),
      target === null ? '-' : `<= ${tell(target)}`,
      met === null ? '-' : met ? 'yes' : 'NO',
    ];
  });
  return alignRows([head, ...rows]).join('\n');
}

function tellSpread({ min, median, max }: Spread, unit: string): string {
  const tell = (number: number) => (number < 100 ? number.toFixed(1) : number.toFixed(0));
  return `${tell(median)} ${unit} [${tell(min)}..${tell(max)}]`;
}
