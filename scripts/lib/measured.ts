import { join } from 'node:path';
import { fieldsOf, numberOf } from './loose.ts';
import { formatDuration, formatShare } from './quantity.ts';
import { readSince, type SeriesRecord } from './series.ts';

/** What the scripts measure, as series of samples with how to write their values. */
export interface Measured {
  readonly label: string;
  readonly samples: readonly { readonly at: number; readonly value: number }[];
  readonly format: (value: number) => string;
}

/** The figures of the machine since an instant (ms since the epoch), as far as any are known. */
export async function readMachine(outputs: string, since: number): Promise<Measured[]> {
  const metrics = await readSince(join(outputs, 'system_metrics.jsonl'), since);
  const benchmarks = await readSince(join(outputs, 'performance_benchmarks.jsonl'), since);
  const measured = [
    measure('CPU busy', metrics, ({ cpuUse }) => numberOf(cpuUse), formatShare),
    measure('memory in use', metrics, ({ memory }) => usedShare(memory), formatShare),
    measure('disk in use', metrics, ({ disk }) => usedShare(disk), formatShare),
    measure('load a core', metrics, loadPerCore, (value) => value.toFixed(2)),
    measure(
      'processes',
      metrics,
      ({ processes }) => numberOf(processes),
      (value) => `${Math.round(value)}`,
    ),
    measure('hashing', benchmarks, ({ hashMs }) => numberOf(hashMs), formatDuration),
    measure('durable write', benchmarks, ({ writeMs }) => numberOf(writeMs), formatDuration),
    measure('process start', benchmarks, ({ startMs }) => numberOf(startMs), formatDuration),
  ];
  return measured.filter(({ samples }) => samples.length > 0);
}

function measure(
  label: string,
  records: readonly SeriesRecord[],
  pick: (record: SeriesRecord) => number | null,
  format: (value: number) => string,
): Measured {
  const samples = records.flatMap((record) => {
    const value = pick(record);
    return value === null ? [] : [{ at: record.at, value }];
  });
  return { label, samples, format };
}

function usedShare(room: unknown): number | null {
  const { free, total } = fieldsOf(room);
  return typeof free === 'number' && typeof total === 'number' && total > 0 ? 1 - free / total : null;
}

function loadPerCore({ load, cores }: SeriesRecord): number | null {
  const average = Array.isArray(load) ? numberOf(load[0]) : null;
  return average === null || typeof cores !== 'number' || cores < 1 ? null : average / cores;
}
