import { hostname } from 'node:os';
import { join } from 'node:path';
import { composeDashboard, shownSpan } from './lib/dashboard.ts';
import { readEndpoints } from './lib/endpoints.ts';
import { replaceFile } from './lib/files.ts';
import { readHistory } from './lib/history.ts';
import { readMachine } from './lib/measured.ts';
import { perform } from './lib/program.ts';
import { breakersAt, readBreakers } from './lib/routing.ts';
import { readState } from './lib/state.ts';

const help = `
generate_visual_dashboard.ts

Writes dashboard.html, one page that needs nothing from outside: how the groups are, what
ran in the last 24 hours, run lengths with their trend and the machine over 7 days, and
the endpoints. Light or dark as the reader's system is; made for phones, too.
The numbers behind the charts are in it as JSON, in the element with the id "numbers".
`;

await perform({ name: 'generate_visual_dashboard.ts', help }, async ({ workspace, outputs, now }) => {
  const since = now - shownSpan;
  // Without endpoints there is nothing to show of them, and no reason to show nothing at all.
  const endpoints = await readEndpoints(workspace).catch(() => null);
  const { html, summary } = composeDashboard({
    now,
    host: hostname(),
    state: await readState(outputs),
    history: await readHistory(outputs, since),
    machine: await readMachine(outputs, since),
    breakers: endpoints === null ? new Map() : breakersAt(endpoints, await readBreakers(outputs, now), now),
  });
  const file = join(outputs, 'dashboard.html');
  await replaceFile(file, html);
  console.log(`dashboard: ${summary}; open ${file}`);
  return 'fine';
});
