import { mkdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { type Command, environment, isInstalled, measure, run } from './measure.ts';
import { compareBoth, type Result } from './result.ts';
import type { Bench } from './rows.ts';
import { groupsInGraph, groupsOfTrue, makeDue, makeExample, type Workspace } from './workspace.ts';

/** Another tool that does the same work, as far as it can. */
interface Peer {
  readonly name: string;
  /** What has to be installed for it. */
  readonly program: string;
  /** Writes what the tool needs into a folder, and says how it is started there. */
  prepare(folder: Workspace): Command;
}

/** Nothing may come due while idle ticks are measured, ms. */
const quietFor = 60_000;
const scripts = 42;
const numbers = Array.from({ length: scripts }, (_, index) => index);

/**
 * The same work by other tools, those of them that are installed: nothing to do, 42 scripts of true one after another,
 * and what would be done in a graph of 1,000, 10,000 and 100,000. None of them keeps a durable record but anacron, of
 * the day; they are told beside ours and have no target.
 */
export async function measurePeers({ place, node, runs, say }: Bench): Promise<Result[]> {
  const example = await makeExample(place, node, quietFor);
  const { tick } = makeDue(place, node, groupsOfTrue(numbers.map(() => 1)));
  const compareAll = (what: string, ours: Command, peers: readonly Peer[], times: number) => {
    const there = peers.filter(({ program }) => isInstalled(program));
    const missing = peers.filter((peer) => !there.includes(peer)).map(({ name }) => name);
    if (missing.length > 0) say(`  ${what}: not installed, so left out: ${missing.join(', ')}`);
    const [own, ...others] = measure([ours, ...there.map((peer) => peer.prepare(place.make(node)))], times);
    return there.flatMap(({ name }, index) => {
      const other = others[index];
      return own === undefined || other === undefined ? [] : compareBoth(`${what} / ${name}`, own, other, null);
    });
  };
  const planned = [1_000, 10_000, 100_000].flatMap((count) => {
    const workspace = place.make(node);
    const groups = groupsInGraph(count);
    workspace.write('tasks.config.json', JSON.stringify({ timezone: 'UTC', groups }));
    const what = `plan of ${count.toLocaleString('en')} groups`;
    return compareAll(what, workspace.rhythm('tick', '--dry-run'), planners(groups), Math.ceil(runs / 3));
  });
  return [
    ...compareAll('nothing to do', example.rhythm('tick'), idlers, runs),
    ...compareAll(`${scripts} scripts`, tick, runners, runs),
    ...planned,
  ];
}

const idlers: readonly Peer[] = [
  { name: 'sh -c :', program: 'sh', prepare: () => ({ argv: ['sh', '-c', ':'] }) },
  {
    name: 'anacron',
    program: 'anacron',
    prepare(folder) {
      const anacron = startAnacron(folder, ['true']);
      // As if its jobs had run today already.
      run([...anacron, '-u']);
      return { argv: anacron };
    },
  },
  {
    name: 'make',
    program: 'make',
    prepare(folder) {
      folder.write('done', '');
      folder.write('Makefile', 'done:\n\t@true\n');
      return { argv: ['make', '-s', '-C', folder.folder] };
    },
  },
  {
    name: 'doit',
    program: 'doit',
    prepare: (folder) => startDoit(folder, "{'name': '0', 'actions': ['true'], 'uptodate': [True]}", 1),
  },
];

const runners: readonly Peer[] = [
  {
    name: 'a loop of sh',
    program: 'sh',
    prepare: () => ({ argv: ['sh', '-c', `for n in ${numbers.join(' ')}; do /bin/true; done`] }),
  },
  {
    name: 'make',
    program: 'make',
    prepare(folder) {
      const rules = numbers.map((number) => `g${number}:${number > 0 ? ` g${number - 1}` : ''}\n\t@/bin/true`);
      folder.write('Makefile', `all: g${scripts - 1}\n${rules.join('\n')}\n`);
      return { argv: ['make', '-s', '-C', folder.folder] };
    },
  },
  {
    name: 'anacron',
    program: 'anacron',
    prepare: (folder) => ({
      argv: [
        ...startAnacron(
          folder,
          numbers.map(() => '/bin/true'),
        ),
        '-f',
        '-n',
      ],
    }),
  },
  {
    name: 'doit',
    program: 'doit',
    prepare: (folder) => startDoit(folder, "{'name': str(n), 'actions': ['/bin/true']}", scripts),
  },
  {
    name: 'wireit',
    program: 'wireit',
    prepare(folder) {
      const steps = numbers.map((number) => {
        const dependencies = number > 0 ? { dependencies: [`g${number - 1}`] } : {};
        return [`g${number}`, { command: '/bin/true', ...dependencies }] as const;
      });
      folder.write(
        'package.json',
        JSON.stringify({
          scripts: Object.fromEntries(steps.map(([name]) => [name, 'wireit'])),
          wireit: Object.fromEntries(steps),
        }),
      );
      // By the Node that is measured.
      const path = [dirname(folder.node), environment.PATH].join(delimiter);
      return { argv: ['env', `PATH=${path}`, 'npm', '--prefix', folder.folder, 'run', '-s', `g${scripts - 1}`] };
    },
  },
];

/** The same graph, all of it still to be done. */
const planners = (groups: object): readonly Peer[] => {
  const steps = Object.entries(groups as Record<string, { readonly dependsOn: readonly string[] }>);
  return [
    {
      name: 'ninja -n',
      program: 'ninja',
      prepare(folder) {
        const builds = steps.map(([name, { dependsOn }]) => `build ${name}: run ${dependsOn.join(' ')}`.trimEnd());
        folder.write('build.ninja', `rule run\n  command = true $out\n${builds.join('\n')}\n`);
        return { argv: ['ninja', '-n', '-C', folder.folder] };
      },
    },
    {
      name: 'make -n',
      program: 'make',
      prepare(folder) {
        const rules = steps.map(([name, { dependsOn }]) => `${name}: ${dependsOn.join(' ')}\n\ttrue`);
        folder.write('Makefile', `all: ${steps.map(([name]) => name).join(' ')}\n${rules.join('\n')}\n`);
        return { argv: ['make', '-n', '-C', folder.folder] };
      },
    },
  ];
};

function startAnacron(folder: Workspace, lines: readonly string[]): string[] {
  const spool = join(folder.folder, 'spool');
  mkdirSync(spool);
  folder.write('anacrontab', lines.map((line, index) => `1 0 job${index} ${line}\n`).join(''));
  return ['anacron', '-d', '-s', '-t', join(folder.folder, 'anacrontab'), '-S', spool];
}

function startDoit(folder: Workspace, task: string, count: number): Command {
  const generator = `def task_all():\n    for n in range(${count}):\n        yield ${task}\n`;
  folder.write('dodo.py', `DOIT_CONFIG = {'verbosity': 0}\n${generator}`);
  return { argv: ['doit', '-d', folder.folder, '-f', join(folder.folder, 'dodo.py')] };
}
