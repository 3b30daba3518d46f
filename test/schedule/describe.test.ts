import { expect, it } from 'vitest';
import { parseCron, parseDaily } from '../../src/schedule/cron.ts';
import { describeSchedule } from '../../src/schedule/describe.ts';
import type { CalendarLine, Schedule } from '../../src/schedule/schedule.ts';

function calendar(timezone: string, ...lines: ReturnType<typeof parseCron>[]): Schedule {
  return { kind: 'calendar', timezone, lines: lines.filter((line): line is CalendarLine => !('problem' in line)) };
}

it.each<[Schedule, string]>([
  [{ kind: 'manual' }, 'manual'],
  [{ kind: 'interval', every: 600_000, offset: 0 }, 'every 10m'],
  [{ kind: 'interval', every: 5_400_000, offset: 180_000 }, 'every 1h30m, offset 3m'],
  [calendar('UTC', parseDaily('3:00')), 'daily at 03:00 (UTC)'],
  [calendar('Europe/Berlin', parseCron('0  3 * * 1-5')), 'cron 0 3 * * 1-5 (Europe/Berlin)'],
  [calendar('UTC', parseDaily('03:00'), parseDaily('15:00')), 'daily at 03:00; daily at 15:00 (UTC)'],
  [calendar('UTC', parseCron('@weekly'), parseCron('*/5 9-17 * * *')), 'cron @weekly; cron */5 9-17 * * * (UTC)'],
])('%j is %s', (schedule, text) => expect(describeSchedule(schedule)).toBe(text));
