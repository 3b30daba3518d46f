import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { groupEntries } from '../../src/import/grouping/group-entries.ts';
import { compareLoad } from '../../src/import/output/import-report.ts';
import { writeConfig } from '../../src/import/output/write-config.ts';
import { readTasks } from '../../src/import/schtasks/tasks.ts';
import { decodeText } from '../../src/import/text/encoding.ts';
import { planRuns, verifyMember } from '../../src/import/verify/verify.ts';
import { describeSchedule } from '../../src/schedule/describe.ts';
import { now } from './corpus.ts';

/*
 * Forty-two tasks of one machine, each registered by a script of its own, as they piled up there: five rhythms, starts
 * staggered by hand, files handed from one to the next.
 */

const folder = 'C:\\workspace\\agi\\scripts';
const out = 'C:\\workspace\\agi\\outputs';

interface Pile {
  readonly purpose: string;
  /** Minutes between two starts, and the first one's minute. */
  readonly every: number | 'day';
  readonly first: number;
  readonly step: number;
  readonly scripts: readonly string[];
}

const piles: readonly Pile[] = [
  {
    purpose: 'Health check',
    every: 10,
    first: 0,
    step: 1,
    scripts: [
      `check_health.py --fast --output ${out}\\health.json`,
      'circuit_breaker_router.py --status-only',
      'llm_monitor.ps1',
      'auto_restart_local_llm.ps1',
      'watchdog.ps1',
      'gateway_ping.py',
      'worker_alive.ps1',
      'queue_depth.py',
    ],
  },
  {
    purpose: 'Performance analysis',
    every: 30,
    first: 2,
    step: 2,
    scripts: [
      `save_performance_benchmark.ps1 -HealthFile ${out}\\health.json -OutFile ${out}\\benchmark.json`,
      'analyze_performance_trends.ps1',
      'adaptive_routing_optimizer.ps1',
      'performance_monitor.ps1',
      'dashboard_autoupdate.ps1',
      'metrics_collector.ps1',
      'token_usage.py',
      'cache_hit_rate.py',
      'lane_balance.py',
      'gpu_sampler.ps1',
      'latency_histogram.py',
      'throughput.py',
    ],
  },
  {
    purpose: 'System maintenance',
    every: 60,
    first: 4,
    step: 5,
    scripts: [
      `collect_system_metrics.ps1 -Benchmark ${out}\\benchmark.json -OutFile ${out}\\metrics.json`,
      'cleanup_processes.ps1',
      'autonomous_work_worker.ps1',
      'ai_ops_manager.ps1',
      'rotate_logs.ps1',
      'compact_ledger.py',
      'prune_temp.ps1',
      'reindex_memory.py',
      'sync_config.ps1',
    ],
  },
  {
    purpose: 'Daily routine',
    every: 'day',
    first: 180,
    step: 5,
    scripts: [
      `generate_daily_briefing.ps1 -Metrics ${out}\\metrics.json`,
      'generate_visual_dashboard.ps1',
      'context_rhythm.ps1',
      'auto_resume.ps1',
      'morning_kickoff.ps1',
      'backup_state.ps1',
      'digest_mail.py',
      'update_index.py',
    ],
  },
  {
    purpose: 'Event analysis',
    every: 120,
    first: 6,
    step: 7,
    scripts: [
      `analyze_latency_spikes.ps1 -Benchmark ${out}\\benchmark.json`,
      'analyze_replan_patterns.ps1',
      'correlate_events.py',
      'error_clusters.py',
      'anomaly_report.py',
    ],
  },
];

function makeExport(): string {
  const tasks = piles.flatMap(({ purpose, every, first, step, scripts }) =>
    scripts.map((line, index) => {
      const [file = '', ...args] = line.split(' ');
      const at = first + index * step;
      const time = `${String(Math.floor(at / 60)).padStart(2, '0')}:${String(at % 60).padStart(2, '0')}:00`;
      const name = `\\AGI_${file.replace(/\..*/, '')}`;
      const start = `<StartBoundary>2025-10-01T${time}</StartBoundary>`;
      const trigger =
        every === 'day'
          ? `<CalendarTrigger>${start}<ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay></CalendarTrigger>`
          : `<TimeTrigger><Repetition><Interval>PT${every}M</Interval></Repetition>${start}</TimeTrigger>`;
      const [command, words] = file.endsWith('.py')
        ? ['python', `${folder}\\${file} ${args.join(' ')}`]
        : ['powershell.exe', `-NoProfile -ExecutionPolicy Bypass -File "${folder}\\${file}" ${args.join(' ')}`];
      return `<!-- ${name} -->
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>${purpose}: ${file.replace(/\..*/, '').replaceAll('_', ' ')}</Description><URI>${name}</URI></RegistrationInfo>
  <Triggers>${trigger}</Triggers>
  <Settings><StartWhenAvailable>true</StartWhenAvailable><MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy></Settings>
  <Actions Context="Author"><Exec><Command>${command}</Command><Arguments>${words.trim()}</Arguments></Exec></Actions>
</Task>`;
    }),
  );
  // In the order of their names, as schtasks lists them.
  return `<Tasks>\r\n${tasks.sort().join('\r\n')}\r\n</Tasks>\r\n`;
}

it('the import turns forty-two scheduled tasks into five groups', async () => {
  const bytes = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(makeExport(), 'utf16le')]);
  const setting = { timezone: 'UTC', now, home: null };
  const { entries, accounts } = readTasks([{ name: 'tasks.xml', text: decodeText(bytes).text }], setting);
  expect(entries).toHaveLength(42);
  expect(accounts.filter(({ fate }) => fate === 'reported')).toEqual([]);

  const plain = groupEntries(entries, { applies: false });
  expect(plain.groups.flatMap(({ dependsOn }) => dependsOn)).toEqual([]);
  const { groups } = groupEntries(entries, { applies: true });
  const text = writeConfig(groups, { sources: 'tasks.xml', timezone: 'UTC', enables: true });
  const place = mkdtempSync(join(tmpdir(), 'rhythm test '));
  try {
    writeFileSync(join(place, 'tasks.config.ts'), text);
    const { config } = await loadConfig(place, { cache: 'off' });
    expect(
      config.groups.map(({ name, schedule, dependsOn, scripts }) => [
        name,
        describeSchedule(schedule),
        dependsOn.map(({ group }) => group),
        scripts.length,
      ]),
    ).toEqual([
      ['health_check', 'every 10m', [], 8],
      ['performance_analysis', 'every 30m, offset 2m', ['health_check'], 12],
      ['system_maintenance', 'every 1h, offset 4m', ['performance_analysis'], 9],
      ['event_analysis', 'every 2h, offset 6m', ['performance_analysis'], 5],
      ['daily_routine', 'daily at 03:00 (UTC)', ['system_maintenance'], 8],
    ]);
    // In the order in which they were staggered.
    for (const { purpose, scripts } of piles) {
      const group = groups.find(({ name }) => name === purpose.toLowerCase().replace(' ', '_'));
      expect(group?.members.map(({ entry }) => entry.origin.name)).toEqual(
        scripts.map((line) => `\\AGI_${line.replace(/\..*/s, '')}`),
      );
    }
    expect(text).toContain(`scriptsDir: 'C:\\\\workspace\\\\agi\\\\scripts',`);
    expect(text).toContain("        'llm_monitor.ps1',\n");

    const from = Date.parse('2026-11-23T00:00:00Z');
    const until = from + 2 * 86_400_000;
    const runs = planRuns(config, from, until);
    const load = compareLoad(groups, runs, from, until);
    expect(load.before).toMatchObject({ entries: 42, mostAtOnce: 4 });
    expect(load.after).toMatchObject({ entries: 1, groups: 5, lanes: 1, mostAtOnce: 1 });
    for (const group of groups) {
      for (const member of group.members) {
        const { differences, beats } = verifyMember(member, group.name, runs.get(group.name) ?? [], {
          from,
          until,
          tickEvery: config.tickEvery,
          timezone: 'UTC',
        });
        expect(beats).toBeGreaterThan(0);
        expect(differences.filter(({ why }) => why === 'unexplained')).toEqual([]);
      }
    }
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});
