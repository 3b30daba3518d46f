import type { Order } from '../../src/trigger/trigger.ts';

/** An order with all that a system has to escape. */
export function makeOrder(more: Partial<Order> = {}): Order {
  return {
    id: 'jobs-1a2b3c4d',
    workspace: '/srv/jobs',
    outputs: '/srv/jobs/outputs',
    node: '/usr/bin/node',
    program: '/srv/jobs/node_modules/rhythm-scheduler/dist/rhythm.js',
    path: '/usr/local/bin:/usr/bin:/bin',
    every: 300_000,
    guard: true,
    system: false,
    stopWithin: 90_000,
    account: { home: '/home/ada', user: 'ada', uid: 1000, owner: 1000 },
    ...more,
  };
}

/** What a folder may be called, and systems trip over. */
export const awkward = `it's 50% "off" $HOME & <b> \\n\\ ü 🎉 100%%s {a} #;`;

/** The same where the folder belongs to Windows. */
export const windowsOrder = makeOrder({
  workspace: 'C:\\Users\\Ada L\\R&D <x> 50% ü',
  outputs: 'C:\\Users\\Ada L\\R&D <x> 50% ü\\outputs',
  node: 'C:\\Program Files\\nodejs\\node.exe',
  program: 'C:\\tools\\rhythm.js',
  path: 'C:\\Windows\\system32;C:\\Windows',
  guard: false,
  account: { home: 'C:\\Users\\Ada L', user: 'WORKBENCH\\ada', uid: null, owner: null },
});
