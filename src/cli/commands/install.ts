import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { RhythmError, UsageError } from '../../errors.ts';
import { formatInstant } from '../../plan/because.ts';
import { formatDuration } from '../../schedule/duration.ts';
import { removeStamps } from '../../state/stamp.ts';
import { triggers, triggersOf } from '../../trigger/find-triggers.ts';
import { makeOrder } from '../../trigger/installation.ts';
import { call } from '../../trigger/system-command.ts';
import { type Order, type Printed, type Trigger, type TriggerName, triggerNames } from '../../trigger/trigger.ts';
import { readDuration } from '../arguments.ts';
import type { Context } from '../context.ts';
import { print, printLine } from '../streams.ts';

interface InstallFlags {
  readonly trigger?: TriggerName;
  readonly every?: string;
  readonly print?: boolean;
  readonly guard?: boolean;
  readonly system?: boolean;
  readonly json?: boolean;
}

/** What `install --json` prints, also with `--print`. */
export interface InstallDocument {
  readonly schemaVersion: 1;
  /** False with `--print`: nothing was done. */
  readonly installed: boolean;
  readonly trigger: TriggerName;
  /** The workspace's name in every trigger. */
  readonly id: string;
  readonly workspace: string;
  readonly everyMs: number;
  readonly guard: boolean;
  /** Where the entry goes, for people. */
  readonly where: string;
  /** A `path` of null: a part of the crontab, or a task, which have none. */
  readonly files: readonly { readonly path: string | null; readonly encoding: string; readonly text: string }[];
  /** What registers it; FILE stands for a file with the text, in its encoding. */
  readonly commands: readonly (readonly string[])[];
  /** Triggers of this workspace that this one took the place of. */
  readonly replaced: readonly TriggerName[];
  /** What to know about it: sentences. */
  readonly notes: readonly string[];
}

/** Declares `rhythm install`. */
export function declare(program: Command, { workspace, finish }: Context): void {
  program
    .command('install')
    .description('register the trigger that starts a tick every few minutes; again: replace it')
    .addOption(program.createOption('--trigger <name>', "which one (default: this system's)").choices(triggerNames))
    .option('--every <duration>', "how often (default: the configuration's tickEvery)")
    .option('--print', 'show what would be registered, for any system, and change nothing')
    .option('--no-guard', 'start Node each time, also where nothing can be due')
    .option('--system', 'with systemd, as root: a timer of the machine rather than of the user')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  rhythm install                           the usual trigger here, every five minutes
  rhythm install --trigger cron --every 10m
  rhythm install --print                   what it would be
  rhythm install --print --trigger launchd > rhythm.plist
  rhythm -C /srv/jobs install              for another workspace; each has its own`,
    )
    .action(async (flags: InstallFlags) => {
      finish(await install(workspace(), flags));
    });
}

/** `rhythm install`: registers the trigger of a workspace, in place of any that it had. */
async function install(workspace: string, flags: InstallFlags): Promise<number> {
  const { config } = await loadConfig(resolve(workspace), { cache: 'read' });
  const trigger = chooseTrigger(flags, process.platform);
  const order = makeOrder(config, process.argv[1] ?? '', {
    every: flags.every === undefined ? null : readDuration('--every', flags.every),
    // There is no sh to rely on.
    guard: flags.guard !== false && trigger.name !== 'schtasks',
    system: flags.system === true,
  });
  const printed = trigger.print(order);
  const notes = adviseOn(order, config);
  const document = (more: Pick<InstallDocument, 'installed' | 'replaced' | 'notes'>): InstallDocument => ({
    schemaVersion: 1,
    trigger: trigger.name,
    id: order.id,
    workspace: order.workspace,
    everyMs: order.every,
    guard: order.guard,
    ...printed,
    ...more,
  });
  const explain = (text: string) => print('stderr', `${text}\n`);

  if (flags.print) {
    if (flags.json) printLine(JSON.stringify(document({ installed: false, replaced: [], notes }), null, 2));
    else {
      print('stdout', renderFiles(printed));
      // Aside, so that what is printed can be put into a file.
      explain(`Not registered, only shown: ${trigger.name}, ${printed.where}. rhythm install would call:`);
      for (const command of printed.commands) explain(`  ${command.join(' ')}`);
      for (const note of notes) explain(note);
    }
    return 0;
  }

  const before = trigger.find().some(({ id }) => id === order.id);
  const messages = trigger.install(order);
  // A workspace has one trigger: two would start each tick twice.
  const others = triggersOf(process.platform).filter(({ name }) => name !== trigger.name);
  const replaced = others.filter((other) => other.uninstall(order.id)).map(({ name }) => name);
  if (!order.guard) removeStamps(order.outputs);
  const all = [...messages, ...notes];
  if (flags.json) printLine(JSON.stringify(document({ installed: true, replaced, notes: all }), null, 2));
  else
    for (const line of describe(trigger.name, order, printed, config, { before, replaced, notes: all }))
      printLine(line);
  return 0;
}

/** The trigger that was asked for, or that this system usually has. */
function chooseTrigger({ trigger, system, print }: InstallFlags, platform: NodeJS.Platform): Trigger {
  const chosen = trigger ?? (system ? 'systemd' : undefined);
  if (system && chosen !== 'systemd') {
    throw new UsageError('--system goes with --trigger systemd only.');
  }
  if (chosen !== undefined) {
    const available = triggersOf(platform).map(({ name }) => name);
    if (!print && !available.includes(chosen)) {
      throw new UsageError(
        `${chosen} is not a trigger of this system, which has ${available.join(' and ')}; --print shows what it would be.`,
      );
    }
    return triggers[chosen];
  }
  const [usual = triggers.cron, ...others] = triggersOf(platform);
  if (usual.name !== 'systemd') return usual;
  // A Linux without a manager for this user, as in a container, may still have cron.
  const hasManager = call('systemctl', ['--user', 'show-environment'])?.status === 0;
  if (hasManager || print) return hasManager ? usual : (others[0] ?? usual);
  if (call('crontab', ['-l']) !== null) return triggers.cron;
  throw new RhythmError(
    'neither a systemd manager runs for this user nor is there a program crontab; install cron, or print an entry for what there is with --print --trigger.',
    74,
  );
}

/** What is odd about the order. */
function adviseOn(order: Order, config: Config): string[] {
  const notes: string[] = [];
  if (order.every !== config.tickEvery) {
    const [says, is] = [formatDuration(config.tickEvery), formatDuration(order.every)];
    notes.push(`The configuration takes the trigger to come every ${says}: write tickEvery: '${is}' into it.`);
  }
  if (/[\\/]_npx[\\/]/.test(order.program)) {
    notes.push(
      `${order.program} is in npm's cache and may vanish: install rhythm-scheduler, and run its rhythm install.`,
    );
  }
  return notes;
}

function renderFiles({ files }: Printed): string {
  if (files.length === 1) return files[0]?.text ?? '';
  return files.map(({ path, text }) => `# ${path}\n${text}`).join('\n');
}

function describe(
  name: TriggerName,
  order: Order,
  { where }: Printed,
  config: Config,
  { before, replaced, notes }: { before: boolean; replaced: readonly TriggerName[]; notes: readonly string[] },
): string[] {
  const period = formatDuration(order.every);
  const now = Date.now();
  const first = formatInstant(Math.floor(now / order.every + 1) * order.every, now, config.timezone);
  const isHere = resolve(process.cwd()) === order.workspace;
  const command = isHere ? 'rhythm' : `rhythm -C ${JSON.stringify(order.workspace)}`;
  return [
    `${before ? 'Replaced' : 'Installed'}: ${name} starts a tick every ${period} in ${order.workspace}.`,
    `  where      ${where}`,
    `  node       ${order.node}`,
    `  rhythm     ${order.program}`,
    `  PATH       ${order.path}`,
    `  guard      ${order.guard ? 'Node is started only where something can be due' : 'none: Node is started each time'}`,
    ...replaced.map((other) => `It takes the place of the ${other} trigger that this workspace had.`),
    ...notes,
    `The first tick comes at about ${first} (${config.timezone}): see it with \`${command} log -f\`; \`${command} status\` says from then on whether ticks come.`,
    `\`${command} uninstall\` undoes this.`,
  ];
}
