import { formatDuration } from './duration.ts';
import type { CalendarLine, Schedule } from './schedule.ts';

/** A schedule in words, for people: `every 10m, offset 3m`, `daily at 03:00 (UTC)`, `cron 0 3 * * 1-5 (UTC)`, `manual`. */
export function describeSchedule(schedule: Schedule): string {
  switch (schedule.kind) {
    case 'interval': {
      const every = `every ${formatDuration(schedule.every)}`;
      return schedule.offset === 0 ? every : `${every}, offset ${formatDuration(schedule.offset)}`;
    }
    case 'calendar':
      return `${schedule.lines.map(describeLine).join('; ')} (${schedule.timezone})`;
    case 'manual':
      return 'manual';
  }
}

/** No cron line holds a colon, and every time of day does. */
function describeLine({ text }: CalendarLine): string {
  return text.includes(':') ? `daily at ${text}` : `cron ${text}`;
}
