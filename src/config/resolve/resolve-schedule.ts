import { parseCron, parseDaily } from '../../schedule/cron.ts';
import { parseDuration } from '../../schedule/duration.ts';
import type { CalendarLine, Schedule } from '../../schedule/schedule.ts';
import { formatPath, joinWords, type Path, type Report } from '../problems.ts';

const day = 86_400_000;
const kinds = ['every', 'daily', 'cron', 'manual'] as const;

/** The keys of a group that make its schedule, as far as they are valid. */
interface ScheduleFrame {
  readonly every?: string | undefined;
  readonly offset?: string | undefined;
  readonly daily?: string | readonly string[] | undefined;
  readonly cron?: string | readonly string[] | undefined;
  readonly timezone?: string | undefined;
}

/**
 * The schedule of a group. Reports a group that doesn't have exactly one; the result is of no use then.
 *
 * @param input the group as the user wrote it: a schedule that has a problem of its own still counts as the one chosen
 */
export function resolveSchedule(
  group: ScheduleFrame,
  input: unknown,
  timezone: string,
  path: Path,
  report: Report,
): Schedule {
  const has = (key: string): boolean =>
    typeof input === 'object' &&
    input !== null &&
    Object.hasOwn(input, key) &&
    (input as Readonly<Record<string, unknown>>)[key] !== undefined;
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) {
    const found = kinds.filter(has);
    const exactly = 'exactly one of every, daily, cron and manual: true';
    if (found.length === 0) report({ path: formatPath(path), message: `it has no schedule; give it ${exactly}` });
    if (found.length > 1) {
      report({ path: formatPath(path), message: `it has ${joinWords(found, 'and')}; a group has ${exactly}` });
    }
    if (!has('every') && has('offset')) {
      report({
        path: formatPath([...path, 'offset']),
        message: 'it shifts the grid of every, and there is none; remove it',
      });
    }
  }
  if (has('every')) {
    const { every = '', offset = '' } = group;
    return { kind: 'interval', every: parseDuration(every) ?? day, offset: parseDuration(offset) ?? 0 };
  }
  if (!has('daily') && !has('cron')) return { kind: 'manual' };
  const lines = [...[group.daily ?? []].flat().map(parseDaily), ...[group.cron ?? []].flat().map(parseCron)];
  return {
    kind: 'calendar',
    timezone: group.timezone ?? timezone,
    lines: lines.filter((line): line is CalendarLine => !('problem' in line)),
  };
}
