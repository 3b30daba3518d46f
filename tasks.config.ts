import { defineConfig } from 'rhythm-scheduler';

// The example workspace: five groups that look after the machine they run on. Try `rhythm tick --dry-run` to see what
// would run now, and why.
export default defineConfig({
  // For calendars (`daily`, `cron`). An interval (`every`) needs no time zone: its beats lie on a fixed grid in UTC.
  timezone: 'UTC',

  groups: {
    health_check: {
      description: 'Is the machine fit to run the rest, and is there an endpoint for each route?',
      // Beats at :00, :10, :20 …, however late the trigger comes.
      every: '10m',
      // Among groups that are free to go, this one goes first.
      priority: 'critical',
      // Files under scripts/ with their arguments; the interpreter follows from the extension.
      scripts: ['check_health.ts --fast', 'circuit_breaker_router.ts --status-only'],
    },

    performance_analysis: {
      description: 'How fast is the machine today, against its usual self?',
      every: '30m',
      // A gate: runs only if the last health_check succeeded. While it is closed this group keeps its beat, and runs at
      // the first tick that finds it open.
      dependsOn: ['health_check'],
      scripts: [
        'save_performance_benchmark.ts',
        // Its exit code 1 says that somebody should look. That is no reason to hold back what depends on this group, so
        // the script is optional: the log and the briefing tell of it, and the group succeeds all the same.
        { run: 'analyze_performance_trends.ts', optional: true },
        'adaptive_routing_optimizer.ts',
      ],
    },

    system_maintenance: {
      description: 'What dead runs left behind; CPU, memory, disk, load and processes, as a series.',
      every: '1h',
      dependsOn: ['performance_analysis'],
      scripts: [{ run: 'cleanup_processes.ts', optional: true }, 'collect_system_metrics.ts'],
    },

    daily_routine: {
      description: 'The last 24 hours: outputs/daily_briefing.md to read, outputs/dashboard.html to look at.',
      // Wall-clock time. A calendar group waits for its first beat; an interval group is due at first sight.
      daily: '03:00',
      timezone: 'UTC',
      dependsOn: ['system_maintenance'],
      scripts: ['generate_daily_briefing.ts', 'generate_visual_dashboard.ts'],
    },

    event_analysis: {
      description: 'Which runs took far longer than usual? Which groups are held back or retried again and again?',
      every: '2h',
      // Nothing waits for it: last in line.
      priority: 'low',
      dependsOn: ['performance_analysis'],
      // The long form, where a script needs more than a line; the default timeout is an hour.
      scripts: [
        { run: 'analyze_latency_spikes.ts', optional: true, timeout: '10m' },
        { run: 'analyze_replan_patterns.ts', optional: true, timeout: '10m' },
      ],
    },
  },
});
