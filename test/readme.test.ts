import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { configFrame, groupFrame, scriptObject } from '../src/config/resolve/config-schema.ts';
import { makeWorkspace } from './rig.ts';

/** The README says what the program does; where the two part, one of them is wrong. */

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** What stands under a heading of either level, up to the next one that is not below it. */
function section(heading: string): string {
  const level = /^#+/.exec(heading)?.[0].length ?? 0;
  const from = readme.indexOf(`\n${heading}\n`);
  if (from === -1) throw new Error(`the README has no heading ${heading}`);
  const rest = readme.slice(from + heading.length + 2);
  const end = rest.search(new RegExp(`^#{1,${level}} `, 'm'));
  return end === -1 ? rest : rest.slice(0, end);
}

/** The first column of the first table in a text. */
function firstColumn(text: string): string[] {
  const table = /^\|.*\n\|[-| ]+\n((?:\|.*\n)+)/m.exec(text)?.[1] ?? '';
  return [...table.matchAll(/^\| `([^`]+)`/gm)].map(([, key]) => key as string);
}

/** The links that begin the lines of tables. */
function firstColumnLinks(text: string): string[] {
  return [...text.matchAll(/^\| \[`([^`]+)`\]/gm)].map(([, name]) => name as string);
}

/** The commands that there are. */
async function listCommands(): Promise<string[]> {
  const { stdout } = await makeWorkspace().rhythm(['--help']);
  const list = stdout.slice(stdout.indexOf('\nCommands:\n'));
  return [...list.matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => name as string).filter((name) => name !== 'help');
}

function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(([, block]) => block as string);
}

const unwrapped = (schema: unknown): unknown => (schema instanceof z.ZodOptional ? schema.unwrap() : schema);

/** The keys of an object's schema; those of an object within it with a dot. */
function keysOf(schema: z.ZodObject): string[] {
  return Object.entries(schema.shape).flatMap(([key, value]) => {
    const inner = unwrapped(value);
    return inner instanceof z.ZodObject ? keysOf(inner).map((name) => `${key}.${name}`) : [key];
  });
}

function dependencyObject(): z.ZodObject {
  const list = unwrapped(groupFrame.shape.dependsOn) as z.ZodArray<z.ZodUnion<z.ZodType[]>>;
  return list.element.options.find((option) => option instanceof z.ZodObject) as z.ZodObject;
}

/** The keys of an object, and those of the first element of each list of objects in it, in order. */
function shapeOf(value: object): string[] {
  return Object.entries(value).flatMap(([key, part]) => {
    const [first] = Array.isArray(part) ? part : [];
    return typeof first === 'object' && first !== null
      ? [key, ...shapeOf(first).map((name) => `${key}.${name}`)]
      : [key];
  });
}

describe('the README', () => {
  const reference = section('## Configuration');
  it.each([
    ['Top level', configFrame],
    ['Groups', groupFrame],
    ['Dependency objects', dependencyObject()],
    ['Script objects', scriptObject],
  ])('lists every key there is: %s', (heading, schema) => {
    const table = reference.slice(reference.indexOf(`### ${heading}\n`));
    expect(firstColumn(table).sort()).toEqual(keysOf(schema).sort());
  });

  it('starts with commands that there are', async () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const known = { npm: [...Object.keys(scripts), 'install', 'pack'], npx: await listCommands(), cd: null };
    const commands = blocks(section('## Quick start'), 'sh').flatMap((block) => block.trim().split(/\n| && /));
    expect(commands).toContain('npm start');
    for (const command of commands) {
      const [program = '', ...words] = command.split(' ');
      expect(Object.keys(known), command).toContain(program);
      const name = program === 'npx' ? words[1] : words[0];
      if (name !== undefined) expect(known[program as keyof typeof known] ?? [name], command).toContain(name);
    }
  });

  it('has every command with every option, and no others', { timeout: 60_000 }, async () => {
    const text = section('## Commands');
    const commands = await listCommands();
    expect(firstColumnLinks(text).sort()).toEqual(commands.map((name) => `rhythm ${name}`).sort());
    const all = new Set(['--workspace', '--verbose', '--version', '--help', '--json']);
    for (const name of commands) {
      const own = text.split(/^### /m).filter((part) => new RegExp(`^[^\n]*\\b${name}\\b`).test(part));
      const { stdout } = await makeWorkspace().rhythm([name, '--help']);
      for (const [, option = ''] of stdout.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)) {
        if (['--help', '--json'].includes(option)) continue;
        all.add(option);
        expect(own.join('\n'), `rhythm ${name}`).toContain(option);
      }
    }
    const told = [...text.matchAll(/(?<![\w-])--[a-z][\w-]*/g)].map(([option]) => option);
    expect(told.filter((option) => !all.has(option))).toEqual([]);
  });

  it('shows JSON as it is printed', async () => {
    const workspace = makeWorkspace();
    workspace.configure({
      groups: {
        first: { every: '10m', scripts: [{ shell: 'true' }] },
        second: { every: '10m', dependsOn: ['first'], scripts: [{ shell: 'true' }] },
      },
    });
    const [plan = '', forecast = ''] = blocks(section('## JSON'), 'json');
    const planned = await workspace.rhythm(['tick', '--dry-run', '--json']);
    expect(shapeOf(JSON.parse(plan))).toEqual(shapeOf(JSON.parse(planned.stdout)));
    const foreseen = await workspace.rhythm(['tick', '--dry-run', '--for', '1h', '--json']);
    expect(shapeOf(JSON.parse(forecast))).toEqual(shapeOf(JSON.parse(foreseen.stdout)));

    const done = await workspace.rhythm(['tick', '--json']);
    const told = section('## JSON');
    for (const key of shapeOf(JSON.parse(done.stdout))) {
      const name = key.split('.').at(-1) as string;
      expect(told.includes(`"${name}"`) || told.includes(`\`${name}\``), name).toBe(true);
    }
  });

  it('leads to places that there are', () => {
    const slugs = [...readme.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\d _-]/gu, '')
        .replaceAll(' ', '-'),
    );
    // The second heading of a title gets -1.
    const anchors = slugs.map((slug, index) => {
      const earlier = slugs.slice(0, index).filter((other) => other === slug).length;
      return earlier === 0 ? slug : `${slug}-${earlier}`;
    });
    for (const [, target = ''] of readme.matchAll(/\]\(([^)]+)\)/g)) {
      if (target.startsWith('#')) expect(anchors).toContain(target.slice(1));
      else expect(existsSync(join(root, target)), target).toBe(true);
    }
  });
});
