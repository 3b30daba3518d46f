import { describe, expect, it } from 'vitest';
import { invokeFile, invokeShell, type Platform } from '../../src/config/resolve/argv.ts';

const linux: Platform = {
  platform: 'linux',
  execPath: '/node',
  tsxLoader: 'file:///tsx/loader.mjs',
  systemTimezone: 'UTC',
  comSpec: 'C:\\Windows\\cmd.exe',
  readFirstLine: () => null,
};
const windows: Platform = { ...linux, platform: 'win32' };
const none = new Map<string, string[]>();

describe('invokeFile', () => {
  it.each<[string, Platform, string[]]>([
    ['/s/a.js', linux, ['/node', '/s/a.js', '-x']],
    ['/s/a.mjs', linux, ['/node', '/s/a.mjs', '-x']],
    ['/s/a.cjs', linux, ['/node', '/s/a.cjs', '-x']],
    ['/s/a.ts', linux, ['/node', '--import', 'file:///tsx/loader.mjs', '/s/a.ts', '-x']],
    ['/s/a.mts', linux, ['/node', '--import', 'file:///tsx/loader.mjs', '/s/a.mts', '-x']],
    ['/s/a.cts', linux, ['/node', '--import', 'file:///tsx/loader.mjs', '/s/a.cts', '-x']],
    ['/s/a.py', linux, ['python3', '/s/a.py', '-x']],
    ['C:\\s\\a.py', windows, ['python', 'C:\\s\\a.py', '-x']],
    ['/s/a.ps1', linux, ['pwsh', '-NoProfile', '-NonInteractive', '-File', '/s/a.ps1', '-x']],
    [
      '/s/A.PS1',
      windows,
      ['powershell.exe', '-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'Bypass', '-File', '/s/A.PS1', '-x'],
    ],
    ['/s/a.sh', linux, ['sh', '/s/a.sh', '-x']],
    ['/s/a.sh', windows, ['bash', '/s/a.sh', '-x']],
    ['/s/a.rb', linux, ['ruby', '/s/a.rb', '-x']],
    ['/s/a.pl', linux, ['perl', '/s/a.pl', '-x']],
    ['/s/a.bat', linux, ['/s/a.bat', '-x']],
    ['/s/a', linux, ['/s/a', '-x']],
    ['/s/a.d/b', linux, ['/s/a.d/b', '-x']],
    ['/s/a.exe', windows, ['/s/a.exe', '-x']],
  ])('%s', (file, platform, argv) => {
    expect(invokeFile(file, ['-x'], none, platform)).toMatchObject({ argv, verbatim: false });
  });

  it('keeps tsx from trusting a cache in the shared temporary folder', () => {
    expect(invokeFile('/s/a.ts', [], none, linux).env).toEqual({ TSX_DISABLE_CACHE: '1' });
    expect(invokeFile('/s/a.js', [], none, linux).env).toEqual({});
  });

  it('lets TypeScript files start from a bundle, unless the configuration names their interpreter', () => {
    for (const file of ['/s/a.ts', '/s/a.mts', '/s/a.cts'])
      expect(invokeFile(file, [], none, linux).bundles).toBe(true);
    expect(invokeFile('/s/a.js', [], none, linux).bundles).toBeUndefined();
    expect(invokeFile('/s/a.ts', [], new Map([['.ts', ['deno', 'run']]]), linux).bundles).toBeUndefined();
  });

  it('prefers the interpreters of the configuration, whatever the case of the extension', () => {
    const interpreters = new Map([
      ['.ts', ['deno', 'run']],
      ['.sh', ['zsh']],
    ]);
    expect(invokeFile('/s/a.TS', ['-x'], interpreters, linux)).toEqual({
      argv: ['deno', 'run', '/s/a.TS', '-x'],
      env: {},
      verbatim: false,
    });
    expect(invokeFile('/s/a.sh', [], interpreters, { ...linux, readFirstLine: () => '#!/bin/bash' }).argv).toEqual([
      'zsh',
      '/s/a.sh',
    ]);
  });

  it.each<[string | null, string[]]>([
    ['#!/bin/bash', ['/bin/bash']],
    ['#! /usr/bin/env bash ', ['/usr/bin/env', 'bash']],
    ['#!/usr/bin/env -S bash -e\r', ['/usr/bin/env', '-S bash -e']],
    ['#!', ['sh']],
    ['# no', ['sh']],
    ['', ['sh']],
    [null, ['sh']],
  ])('runs a shell script by its own first line %j', (line, start) => {
    expect(invokeFile('/s/a.sh', [], none, { ...linux, readFirstLine: () => line }).argv).toEqual([
      ...start,
      '/s/a.sh',
    ]);
  });

  it('quotes for a batch file what cmd.exe and the C runtime will take apart', () => {
    const invocation = invokeFile('C:\\my dir\\a.bat', ['x y', 'say "hi"', '%PATH%', 'end\\'], none, windows);
    expect(invocation).toEqual({
      argv: [
        'C:\\Windows\\cmd.exe',
        '/d',
        '/s',
        '/c',
        '"^"C:\\my^ dir\\a.bat^" ^"x^ y^" ^"say^ ^"^"hi^"^"^" ^"^%PATH^%^" ^"end\\\\^""',
      ],
      env: {},
      verbatim: true,
    });
  });
});

describe('invokeShell', () => {
  it('gives the line to the system’s shell untouched', () => {
    expect(invokeShell('a | b "c"', linux)).toEqual({ argv: ['/bin/sh', '-c', 'a | b "c"'], env: {}, verbatim: false });
    expect(invokeShell('a | b "c"', windows)).toEqual({
      argv: ['C:\\Windows\\cmd.exe', '/d', '/s', '/c', '"a | b "c""'],
      env: {},
      verbatim: true,
    });
  });
});
