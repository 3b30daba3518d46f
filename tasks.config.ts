import { defineConfig } from 'rhythm-scheduler';

// The example workspace: five groups that look after the machine they run on. Try `rhythm tick --dry-run` to see what
// would run now, and why.
export default defineConfig({
  // For calendars (`daily`, `cron`). An interval (`every`) needs no time zone: its beats lie on a fixed grid in UTC.
  timezone: 'UTC',

  groups: {
    health_check: {
      description: 'Is the machine fit to run the rest?',
      // Beats at :00, :10, :20 …, however late the trigger comes.
      every: '10m',
      // Among groups that are free to go, this one goes first.
      priority: 'critical',
      // A file under scripts/ with its arguments; the interpreter follows from the extension.
      scripts: ['check_health.ts --fast'],
    },

    performance_analysis: {
      description: 'How fast is the machine today, against its usual self?',
      every: '30m',
      // A gate: runs only if the last health_check succeeded. While it is closed this group keeps its beat, and runs at
      // the first tick that finds it open.
      dependsOn: ['health_check'],
      scripts: ['save_performance_benchmark.ts'],
    },

    system_maintenance: {
      description: 'CPU, memory, disk and load, as a series.',
      every: '1h',
      dependsOn: ['performance_analysis'],
      scripts: ['collect_system_metrics.ts'],
    },

    daily_routine: {
      description: 'The last 24 hours on one page: outputs/daily_briefing.md.',
      // Wall-clock time. A calendar group waits for its first beat; an interval group is due at first sight.
      daily: '03:00',
      timezone: 'UTC',
      dependsOn: ['system_maintenance'],
      scripts: ['generate_daily_briefing.ts'],
    },

    event_analysis: {
      description: 'Which runs took far longer than usual?',
      every: '2h',
      // Nothing waits for it: last in line.
      priority: 'low',
      dependsOn: ['performance_analysis'],
      // The long form, where a script needs more than a line; the default timeout is an hour.
      scripts: [{ run: 'analyze_latency_spikes.ts', timeout: '10m' }],
    },
  },
});
