import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { gate, makeGate, makeWorkspace, note, program, type Running, release, type Workspace } from '../rig.ts';

/** Resolves as soon as a command has printed the text. */
function prints({ child }: Running, text: string): Promise<void> {
  let seen = '';
  return new Promise((resolve) =>
    child.stdout?.on('data', (part) => {
      seen += part;
      if (seen.includes(text)) resolve();
    }),
  );
}

/** A script that waits at a gate once there is a file `slow`. */
function makeSlow(): Workspace {
  const workspace = makeWorkspace();
  const wait = `if test -e "$RHYTHM_WORKSPACE/slow"; then ${note('waits')}; ${gate('gate')}; fi`;
  workspace.configure({
    groups: { nightly: { manual: true, scripts: [{ name: 'one', shell: `echo first; ${wait}; echo last` }] } },
  });
  makeGate(workspace, 'gate');
  return workspace;
}

describe('the output of a run by hand', () => {
  it('appears while the script runs, harmless to the terminal', async () => {
    const workspace = makeWorkspace();
    workspace.configure({
      groups: {
        nightly: {
          manual: true,
          scripts: [{ name: 'one', shell: `printf 'red \\033[31m\\007one\\n'; ${gate('gate')}; echo two` }],
        },
      },
    });
    makeGate(workspace, 'gate');
    const run = workspace.start(['run', 'nightly']);
    await prints(run, '    | red \\x07one\n');
    release(workspace, 'gate');
    const { code, stdout } = await run.done;
    expect(code).toBe(0);
    expect(stdout.split('\n').slice(2, 5)).toEqual([
      '    | red \\x07one',
      '    | two',
      expect.stringMatching(/^nightly\/one {2}succeeded after/),
    ]);
    // What the log gets is as configured.
    expect(workspace.log()).not.toContain('two');
  });

  it('is told once, also where the script fails, and hides secrets', async () => {
    const workspace = makeWorkspace();
    workspace.configure({
      redact: ['PASSWORD'],
      groups: {
        nightly: {
          every: '1h',
          scripts: [{ name: 'one', env: { PASSWORD: 'hunter22' }, shell: 'echo is $PASSWORD; exit 3' }],
        },
      },
    });
    const run = await workspace.rhythm(['run', 'nightly']);
    expect([run.code, run.stdout.match(/\| is \[redacted\]\n/g)?.length]).toEqual([1, 1]);
    expect(workspace.log()).toContain('| is [redacted]');
    // A tick shows the end of what failed, when it has.
    workspace.configure({ groups: { other: { every: '1h', scripts: [{ name: 'one', shell: 'echo why; exit 3' }] } } });
    expect((await workspace.rhythm(['tick'])).stdout).toMatch(/exited with code 3.*\n {4}\| why\n/);
  });

  it('names its script where several speak at once', async () => {
    const workspace = makeWorkspace();
    const speak = (lane: string, dependsOn: string[] = []) => ({
      ...{ manual: true, lane, dependsOn },
      scripts: [{ name: 'one', shell: `${note(lane)}; ${gate(`${lane}1`)}; echo from ${lane}; ${gate(`${lane}2`)}` }],
    });
    workspace.configure({
      groups: { a: speak('a'), b: speak('b'), both: { manual: true, dependsOn: ['a', 'b'], scripts: [] } },
    });
    for (const name of ['a1', 'a2', 'b1', 'b2']) makeGate(workspace, name);
    const run = workspace.start(['run', 'both', '--with-dependencies']);
    await Promise.all([workspace.ledgerHas('a'), workspace.ledgerHas('b')]);
    const shown = prints(run, '    a/one | from a\n');
    release(workspace, 'a1');
    await shown;
    release(workspace, 'a2');
    release(workspace, 'b1');
    await prints(run, 'from b\n');
    release(workspace, 'b2');
    expect((await run.done).code).toBe(0);
  });
});

describe.runIf(spawnSync('tmux', ['-V']).status === 0)('on a terminal', () => {
  function openTerminal(workspace: Workspace, environment: string, ...args: string[]) {
    const tmux = (...words: string[]) =>
      execFileSync('tmux', ['-S', join(workspace.folder, 'tmux'), '-f', '/dev/null', ...words], { encoding: 'utf8' });
    onTestFinished(() => void spawnSync('tmux', ['-S', join(workspace.folder, 'tmux'), 'kill-server']));
    const command = `env -u NO_COLOR ${environment} '${process.execPath}' '${program}' -C '${workspace.folder}' ${args.join(' ')}`;
    tmux('new-session', '-d', '-x', '60', '-y', '20', `${command}; echo "ended with $?"; read -r _`);
    const screen = () => tmux('capture-pane', '-p').trimEnd();
    const shows = async (text: string | RegExp) => {
      for (;;) {
        const now = screen();
        if (typeof text === 'string' ? now.includes(text) : text.test(now)) return now;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    return { tmux, shows };
  }

  it('a last line says what runs and how long that usually takes, and goes when it has ended', async () => {
    const workspace = makeSlow();
    await workspace.rhythm(['run', 'nightly']);
    workspace.write('slow', '');
    const { shows } = openTerminal(workspace, 'TERM=xterm', 'run', 'nightly');
    const during = await shows(/\n\[#{10}\] nightly\/one {2}[1-9] s, usually 0\.\d s$/);
    expect(during).toContain('\n    | first\n');
    release(workspace, 'gate');
    const after = await shows('ended with 0');
    expect(after).not.toContain('usually');
    expect(after).toMatch(/\n {4}\| last\nnightly\/one {2}succeeded after .*\nnightly {2}succeeded after/);
  });

  it.each(['TERM=dumb', 'TERM=xterm NO_COLOR=1'])('%s has lines only', async (environment) => {
    const workspace = makeSlow();
    workspace.write('slow', '');
    const { shows, tmux } = openTerminal(workspace, environment, 'run', 'nightly');
    await shows('| first');
    tmux('pipe-pane', `cat >'${join(workspace.folder, 'bytes')}'`);
    release(workspace, 'gate');
    await shows('ended with 0');
    expect(workspace.read('bytes')).not.toContain('\x1b[K');
    expect(workspace.read('bytes')).toContain('| last');
  });

  it('Ctrl-C ends the run and leaves a clean line', async () => {
    const workspace = makeSlow();
    workspace.write('slow', '');
    const { shows, tmux } = openTerminal(workspace, 'TERM=xterm', 'run', 'nightly');
    await shows(/\nnightly\/one {2}\d s$/);
    tmux('send-keys', 'C-c');
    const after = await shows('ended with 130');
    expect(after).toMatch(/\nnightly {2}interrupted after .*\n/);
    expect(after).not.toMatch(/\d s\n?ended/);
  });
});
