import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeWorkspace, program, type Workspace } from '../rig.ts';

function makeGroups(): Workspace {
  const workspace = makeWorkspace();
  workspace.configure({
    groups: {
      backup: { description: 'Off the machine.', manual: true, scripts: [{ name: 'dump.sh', shell: 'true' }] },
      back_office: {
        manual: true,
        scripts: [
          { name: 'two words', shell: 'true' },
          { name: 'sum', shell: 'true' },
        ],
      },
      constructor: { manual: true, scripts: [{ shell: 'true' }] },
    },
  });
  // The shells' scripts call `rhythm`.
  mkdirSync(join(workspace.folder, 'bin'));
  const command = join(workspace.folder, 'bin/rhythm');
  writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`);
  chmodSync(command, 0o755);
  return workspace;
}

const has = (shell: string) => spawnSync(shell, ['--version']).status === 0;
const environment = ({ folder }: Workspace) => ({ ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}` });

describe('the words', () => {
  it.each([
    [['ru'], ['run']],
    [['nothing-like-it'], []],
    [
      ['run', ''],
      ['backup', 'back_office', 'constructor'],
    ],
    [
      ['run', 'back'],
      ['backup', 'back_office'],
    ],
    [
      ['run', 'back_office/'],
      ['back_office/two words', 'back_office/sum'],
    ],
    [['run', 'toString/'], []],
    [['run', '--wait', ''], []],
    [['run', '--wait', '1h', 'cons'], ['constructor']],
    [['run', 'backup', ''], []],
    [['pause', 'backup', 'cons'], ['constructor']],
    [['tick', '--dr'], ['--dry-run']],
    [['--verb'], ['--verbose']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish', 'powershell'],
    ],
    [['help', 'paus'], ['pause']],
    [['init', ''], [':paths']],
    [['-C', ''], [':paths']],
  ])('%j', async (words, expected) => {
    const { code, stdout, stderr } = await makeGroups().rhythm(['__complete', '--', ...words]);
    const found = stdout.split('\n').slice(0, -1);
    expect([code, stderr, found.map((line) => line.split('\t')[0])]).toEqual([0, '', expected]);
  });

  it('come with what they are for', async () => {
    const { stdout } = await makeGroups().rhythm(['__complete', '--new-word', '--', 'run']);
    expect(stdout).toBe('backup\tOff the machine.\nback_office\nconstructor\n');
  });

  it('are of the workspace that the line names; without one they lack the groups and no more', async () => {
    const workspace = makeGroups();
    const elsewhere = makeWorkspace();
    const named = await elsewhere.rhythm(['__complete', '--', '-C', workspace.folder, 'run', 'cons']);
    expect(named.stdout).toBe('constructor\n');
    expect(await elsewhere.rhythm(['__complete', '--', 'run', ''])).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  it('are read without writing anything', async () => {
    const workspace = makeGroups();
    const before = workspace.fingerprint();
    await workspace.rhythm(['__complete', '--', 'run', '']);
    expect(workspace.fingerprint()).toEqual(before);
  });
});

it.runIf(has('bash'))('bash completes', () => {
  const workspace = makeGroups();
  const complete = (...words: string[]) => {
    const script = `eval "$(rhythm completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rhythm; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const args = ['-c', script, 'bash', 'rhythm', ...words];
    return execFileSync('bash', args, { cwd: workspace.folder, env: environment(workspace), encoding: 'utf8' });
  };
  expect(complete('run', 'back')).toBe('backup\nback_office\n');
  expect(complete('run', 'back_office/')).toBe('back_office/two\\ words\nback_office/sum\n');
  expect(complete('run', 'nothing')).toBe('\n');
});

it.runIf(has('fish'))('fish completes', () => {
  const workspace = makeGroups();
  const complete = (line: string) => {
    const args = ['--no-config', '-c', `rhythm completion fish | source; complete -C '${line}'`];
    return execFileSync('fish', args, { cwd: workspace.folder, env: environment(workspace), encoding: 'utf8' });
  };
  expect(complete('rhythm run back').split('\n').sort()).toEqual(['', 'back_office', 'backup\tOff the machine.']);
  expect(complete('rhythm run back_office/s')).toBe('back_office/sum\n');
  expect(complete('rhythm pau')).toMatch(/^pause\t/);
});

it.runIf(has('zsh') && spawnSync('tmux', ['-V']).status === 0)('zsh completes', async () => {
  const workspace = makeGroups();
  const socket = join(workspace.folder, 'tmux');
  const tmux = (...args: string[]) =>
    execFileSync('tmux', ['-S', socket, '-f', '/dev/null', ...args], { env: environment(workspace), encoding: 'utf8' });
  onTestFinished(() => void spawnSync('tmux', ['-S', socket, 'kill-server']));
  tmux('new-session', '-d', '-x', '100', '-y', '30', '-c', workspace.folder, 'zsh -f');
  const shows = async (text: string) => {
    for (let screen = ''; ; screen = tmux('capture-pane', '-p')) {
      if (screen.includes(text)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  tmux('send-keys', 'autoload -U compinit; compinit -u -D; eval "$(rhythm completion zsh)"; echo ready', 'Enter');
  await shows('\nready');
  tmux('send-keys', 'rhythm run cons', 'Tab');
  await shows('rhythm run constructor');
  tmux('send-keys', 'C-u', 'rhythm run back_office/t', 'Tab');
  await shows('rhythm run back_office/two\\ words');
  tmux('send-keys', 'C-u', 'rhythm run back', 'Tab', 'Tab');
  await shows('backup       -- Off the machine.');
});

it('the scripts for zsh and PowerShell are what they are meant to be', async () => {
  const { rhythm } = makeWorkspace();
  if (has('zsh')) {
    const { stdout } = await rhythm(['completion', 'zsh']);
    expect(spawnSync('zsh', ['-n'], { input: stdout, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  }
  expect((await rhythm(['completion', 'powershell'])).stdout).toMatchSnapshot();
});

it.each([
  [['completion'], "rhythm: missing required argument 'shell'"],
  [['completion', 'tcsh'], /'tcsh' is invalid for argument 'shell'. Allowed choices are bash, zsh, fish, powershell/],
])('%j is wrong usage', async (args, message) => {
  const { code, stderr } = await makeWorkspace().rhythm(args);
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
});

it('what the shells call is offered to nobody', async () => {
  const { rhythm } = makeWorkspace();
  expect((await rhythm(['--help'])).stdout).not.toContain('__complete');
  expect((await rhythm(['complete'])).stderr).not.toContain('__complete');
});
