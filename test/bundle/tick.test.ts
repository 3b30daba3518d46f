import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeWorkspace } from '../rig.ts';

describe('a tick', () => {
  it('starts TypeScript scripts from bundles and logs which ones it can not', async () => {
    const workspace = makeWorkspace();
    const env = { XDG_CACHE_HOME: join(workspace.folder, 'cache') };
    const show = 'console.log(process.argv.slice(1).join("|"), process.execArgv.join());';
    workspace.write('package.json', '{ "type": "module" }');
    workspace.write(
      'scripts/bundled.ts',
      'enum A { One = "one" } console.log(A.One, process.argv.slice(1).join("|"));',
    );
    workspace.write('scripts/other.ts', show);
    workspace.write('scripts/failing.ts', 'import "./missing.ts";');
    workspace.configure({ groups: { a: { every: '1h', scripts: ['bundled.ts x "y z"', 'other.ts', 'failing.ts'] } } });
    const { stdout } = await workspace.rhythm(['tick'], { env });
    expect(stdout).toMatch(/bundled\.ts {2}started \(pid \d+\)\n/);
    expect(stdout).toMatch(/other\.ts {2}started \(pid \d+\); runs through tsx: it uses process\.execArgv\n/);
    expect(stdout).toMatch(/failing\.ts {2}started .*its import \.\/missing\.ts was not found\n/);
    const scripts = workspace.state().groups?.a?.lastRun?.scripts;
    const outputOf = (index: number) => workspace.read(join('outputs', scripts?.[index]?.outputFile as string));
    expect(outputOf(0)).toBe(`one ${join(workspace.folder, 'scripts/bundled.ts')}|x|y z\n`);
    expect(outputOf(1)).toContain(`${join(workspace.folder, 'scripts/other.ts')} --import,`);
    expect(outputOf(2)).toContain('missing.ts');
  });
});
