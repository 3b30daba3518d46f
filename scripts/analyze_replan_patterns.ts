import { join } from 'node:path';
import { readHistory } from './lib/history.ts';
import { readLastLine } from './lib/output.ts';
import { describePattern, findPatterns, patternRule } from './lib/patterns.ts';
import { perform } from './lib/program.ts';
import { count } from './lib/quantity.ts';
import { reports, writeReport } from './lib/report.ts';

const help = `
analyze_replan_patterns.ts

Finds the groups that, within the last 7 days, were held back again and again (at ${patternRule.heldTicks} ticks),
or ${patternRule.times} times were retried, interrupted, expired or moved (started late, or passed beats over),
and the likely cause of each: the script that failed where it all begins, the trigger that
stayed away, the group that took too long. Writes replan_patterns.json.
Fails where a pattern goes on, or was seen within the last two hours.
`;

const span = 7 * 86_400_000;
const fresh = 2 * 3_600_000;

await perform({ name: 'analyze_replan_patterns.ts', help }, async ({ outputs, now }) => {
  const history = await readHistory(outputs, now - span);
  const patterns = findPatterns(history, now);
  const findings = await Promise.all(
    patterns.map(async (pattern) => {
      const lastLine = pattern.outputFile === null ? null : await readLastLine(outputs, pattern.outputFile);
      return { at: pattern.last, text: describePattern(pattern, lastLine) };
    }),
  );
  await writeReport(join(outputs, reports.patterns), now, findings, {
    rule: patternRule,
    patterns: patterns.map((pattern) => ({
      ...pattern,
      first: new Date(pattern.first).toISOString(),
      last: new Date(pattern.last).toISOString(),
    })),
  });
  const looked = `${count(history.runs.length, 'run')} and ${count(history.ticks.length, 'tick')} of 7 days`;
  const [first, ...more] = findings;
  const rest = more.length === 0 ? '' : `; and ${more.length} more in ${reports.patterns}`;
  console.log(`patterns: ${first === undefined ? `none in ${looked}` : `${first.text}${rest}`}`);
  return findings.some(({ at }) => at >= now - fresh) ? 'look' : 'fine';
});
