import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { injected, iso, minute } from './instruments.ts';
import type { Week } from './week.ts';

/** What the scripts said at the end of a week, and what they should have said: each difference in a line. */
export interface Verdict {
  readonly missing: readonly string[];
  /** Reported, and not injected. On a machine that is really measured some of it may be true. */
  readonly surplus: readonly string[];
}

export function judgeWeek({ outputs, states, routed, leaking }: Week): Verdict {
  const missing: string[] = [];
  const surplus: string[] = [];
  const demand = (is: boolean, what: string) => is || missing.push(what);
  const read = (name: string) => JSON.parse(readFileSync(join(outputs, name), 'utf8'));
  const { leak, spike, night, outage } = injected;

  const pid = leaking?.pid ?? leak.pid;
  const { leaks, trends, diskFullAt } = read('performance_trends.json') as {
    leaks: { pid: number; name: string }[];
    trends: { field: string; verdict: string }[];
    diskFullAt: string | null;
  };
  demand(
    leaks.some((one) => one.pid === pid && one.name === leak.name),
    'the leak',
  );
  surplus.push(...leaks.filter((one) => one.pid !== pid).map(({ name }) => `leak of ${name}`));
  surplus.push(...trends.filter(({ verdict }) => verdict !== 'steady').map((one) => `${one.field} ${one.verdict}`));
  if (diskFullAt !== null) surplus.push(`a disk that is full on ${diskFullAt}`);

  const { spikes } = read('latency_spikes.json') as { spikes: { group: string; script: string; at: string }[] };
  const isSpike = ({ group, at }: { group: string; at: string }) =>
    group === spike.group && Math.abs(Date.parse(at) - spike.beat) < 5 * minute;
  demand(
    spikes.some((one) => isSpike(one) && one.script === 'save_performance_benchmark.ts'),
    'the spike',
  );
  surplus.push(...spikes.filter((one) => !isSpike(one)).map(({ group, at }) => `spike of ${group} at ${at}`));

  const { patterns } = read('replan_patterns.json') as { patterns: { group: string; kind: string; cause: string }[] };
  const waited = ['performance_analysis', 'system_maintenance'];
  for (const group of waited) {
    const found = patterns.find((one) => one.group === group && one.kind === 'held-back');
    demand(
      /^health_check failed \d+ times: circuit_breaker_router\.ts/.test(found?.cause ?? ''),
      `that ${group} was held back`,
    );
  }
  const isInjected = ({ group, kind }: { group: string; kind: string }) =>
    waited.includes(group) && kind === 'held-back';
  surplus.push(...patterns.filter((one) => !isInjected(one)).map(({ group, kind }) => `${group} ${kind}`));

  demand(states.join() === 'closed,open,half-open,closed', `the breaker's states (${states.join()})`);
  demand(
    routed.some((line) => line.includes('gateway falls back to standby, direct by api')),
    'the fallback',
  );
  demand(
    routed.some((line) => /direct has no endpoint.*api is open .*HTTP 503/.test(line)),
    'that a route has no endpoint',
  );
  demand(
    routed.some((line) => /api is half-open .* 1 of 2 tries went well/.test(line)),
    'the tries',
  );
  demand(routed.at(-1)?.endsWith('2 breakers, all closed') === true, 'that all is well again');
  surplus.push(...routed.filter((line) => / standby (is|failed)/.test(line)));

  judgeBriefing(readFileSync(join(outputs, 'daily_briefing.md'), 'utf8'), demand, surplus);

  const html = readFileSync(join(outputs, 'dashboard.html'), 'utf8');
  const numbers = JSON.parse(/id="numbers">(.*?)<\/script>/s.exec(html)?.[1] ?? '') as {
    silences: { from: string; to: string }[];
    runs: { group: string; at: string; outcome: string; durationMs: number }[];
    breakers: { state: string }[];
  };
  const isNight = ({ from, to }: { from: string; to: string }) =>
    Math.abs(Date.parse(from) - night.from) < 15 * minute && Math.abs(Date.parse(to) - night.to) < 15 * minute;
  demand(numbers.silences.some(isNight), "the night in the dashboard's silences");
  surplus.push(...numbers.silences.filter((one) => !isNight(one)).map(({ from }) => `a silence from ${from}`));
  demand(/<rect class="bar silence"[^>]*><title>no tick from 2026-11-22 00:/.test(html), 'the night in the timeline');
  demand(html.includes('system_maintenance held back for'), 'the hold in the timeline');
  const failed = numbers.runs.filter(({ outcome }) => outcome !== 'succeeded');
  const isOfOutage = ({ group, at }: { group: string; at: string }) =>
    group === 'health_check' && Date.parse(at) > outage.from && Date.parse(at) < outage.to + 70 * minute;
  demand(failed.some(isOfOutage), 'the failures in the dashboard');
  surplus.push(...failed.filter((run) => !isOfOutage(run)).map(({ group, at }) => `${group} failed at ${at}`));
  demand(
    numbers.runs.some((run) => isSpike({ ...run, at: run.at })),
    'the spike in the dashboard',
  );
  demand(
    numbers.breakers.every(({ state }) => state === 'closed'),
    "the dashboard's breakers",
  );
  return { missing, surplus };
}

function judgeBriefing(markdown: string, demand: (is: boolean, what: string) => void, surplus: string[]): void {
  const part = markdown.split('## Look at this\n\n')[1]?.split('\n\n## ')[0] ?? '';
  const lines = part.split('\n');
  const expected: [string, RegExp][] = [
    [
      'the failures',
      /^- \*\*health_check\*\* failed \d+ times, last at 2026-11-23 .*`circuit_breaker_router\.ts` exited with code 1; its last line: /,
    ],
    ['the night', /^- No tick for 6 h.*: from 2026-11-22 00:\d\d:\d\d UTC to 2026-11-22 06:3/],
    ['the leak', /^- node leak\.mjs \(pid \d+\) leaks memory: /],
    ['the hold', /^- performance_analysis was held back at \d+ ticks .* health_check failed/],
    ['the other hold', /^- system_maintenance was held back at \d+ ticks .* health_check failed/],
    ['the spike', /^- performance_analysis\/save_performance_benchmark\.ts took .* instead of .* at 2026-11-22 14:/],
    [
      'what the night made late',
      /^- \d groups were late: (?=.*\*\*daily_routine\*\* started up to 3 h)(?=.*\*\*health_check\*\* .*passed over \d+ beats)/,
    ],
  ];
  for (const [what, line] of expected)
    demand(
      lines.some((one) => line.test(one)),
      `${what} in the briefing`,
    );
  const known = expected.map(([, line]) => line);
  surplus.push(
    ...lines.filter((one) => !known.some((line) => line.test(one))).map((line) => `in the briefing: ${line}`),
  );
  demand(markdown.split('\n').length <= 50, `a briefing under a screen long (to ${iso(injected.end)})`);
}
