import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawLine, drawTimeline, escapeHtml } from '../../scripts/lib/chart.ts';
import { Browser, chromium, type Page } from './browser.ts';
import {
  argvOf,
  iso,
  runEnd,
  runScript,
  scriptEnd,
  temporaryFolder,
  writeHistory,
  writeJsonLines,
} from './workspace.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const gigabyte = 1024 ** 3;

/** A week with something of all that a dashboard shows. */
function fill(outputs: string, now: number): void {
  const silence = { from: now - 10 * hour, to: now - 6 * hour };
  const isAwake = (at: number) => at < silence.from || at >= silence.to;
  const every = (step: number, count: number) =>
    Array.from({ length: count }, (_, index) => now - (count - index) * step).filter(isAwake);
  const noise = (at: number) => ((at / minute) * 37) % 101;
  const lines = [
    ...every(5 * minute, 2016).map((at) => ({ at: iso(at), type: 'tick', outcome: 'done' })),
    ...every(30 * minute, 300).map((at, index) =>
      runEnd('sync_<b>', at + 20_000, {
        durationMs: 4000 + noise(at) * 20 + index * 20 + (index === 250 ? 60_000 : 0),
        outcome: index === 280 ? 'failed' : 'succeeded',
        startedAt: iso(at),
        scripts: [scriptEnd('sync.ts')],
      }),
    ),
    ...every(2 * hour, 84).map((at) => runEnd('report', at + minute, { durationMs: 40_000, startedAt: iso(at) })),
    {
      at: iso(now - 110 * minute),
      type: 'held',
      group: 'report',
      reason: 'dependency-failed',
      blockedBy: ['sync_<b>'],
    },
  ];
  const at = (line: object) => Date.parse((line as { at: string }).at);
  writeHistory(
    outputs,
    lines.toSorted((a, b) => at(a) - at(b)),
  );
  writeJsonLines(
    join(outputs, 'system_metrics.jsonl'),
    every(hour, 168).map((time, index) => ({
      at: iso(time),
      cpuUse: 0.1 + noise(time) / 500,
      cores: 4,
      memory: { free: (8 - index / 40) * gigabyte, total: 16 * gigabyte },
      disk: { free: 100 * gigabyte, total: 250 * gigabyte },
      load: [1 + noise(time) / 50, 1, 1],
      processes: 150 + Math.round(noise(time) / 10),
    })),
  );
  writeJsonLines(
    join(outputs, 'performance_benchmarks.jsonl'),
    every(30 * minute, 336).map((time) => ({
      at: iso(time),
      hashMs: 5 + noise(time) / 200,
      writeMs: 2 + noise(time) / 100,
      startMs: 40 + noise(time) / 20,
    })),
  );
  const breakers = { gzip: { state: 'open', since: iso(now - hour), openings: 1, reason: 'exit code 1' } };
  writeFileSync(join(outputs, 'circuit_breakers.json'), JSON.stringify({ at: iso(now), breakers }));
  const run = { id: 'r', outcome: 'succeeded', finishedAt: iso(now - 2 * hour), durationMs: 40_000 };
  const groups = {
    'sync_<b>': { lastRun: { ...run, durationMs: 9000 } },
    report: { lastRun: run, held: {} },
    broken: { lastRun: { ...run, outcome: 'timed-out' }, consecutiveFailures: 3 },
    resting: { lastRun: run, pausedAt: iso(now - day) },
    constructor: {},
  };
  writeFileSync(join(outputs, 'master_scheduler_state.json'), JSON.stringify({ schemaVersion: 1, groups }));
}

async function makeDashboard(prepare: (outputs: string, now: number) => void) {
  const outputs = temporaryFolder();
  prepare(outputs, Date.now());
  const ended = await runScript(argvOf('generate_visual_dashboard.ts'), outputs);
  expect(ended).toMatchObject({ exitCode: 0, stderr: '' });
  const file = join(outputs, 'dashboard.html');
  return { file, html: readFileSync(file, 'utf8'), stdout: ended.stdout };
}

it('the dashboard escapes text for HTML', () => {
  expect(escapeHtml(`<script>"&'`)).toBe('&#60;script&#62;&#34;&#38;&#39;');
});

it('a chart interrupts its curve where data is missing and clips its bars', () => {
  const span = { from: 0, to: 100 };
  const samples = [0, 10, 20, 60, 70, 80].map((at) => ({ at, value: at }));
  const drawn = drawLine(samples, span, { label: 'x', format: String });
  expect(drawn.match(/<polyline/g)).toHaveLength(2);
  const bar = { from: -50, to: 50, kind: 'failed', title: 'long' };
  expect(drawTimeline([{ label: 'a', bars: [bar] }], span, [])).toContain('x="0%" y="16" width="50%"');
});

describe('generate_visual_dashboard.ts', () => {
  it('creates one self-contained page with the numbers behind its charts', async () => {
    const { html, stdout } = await makeDashboard(fill);
    expect(stdout).toMatch(
      /^dashboard: Not well: broken; 5 groups, \d+ runs of 7 days, 8 charts of the machine; open .*\n$/,
    );
    expect(html).not.toMatch(/https?:|src=|href=|url\(|@import|<link|onload/);
    const numbers = JSON.parse(/id="numbers">(.*?)<\/script>/s.exec(html)?.[1] ?? '');
    expect(numbers).toMatchObject({ schemaVersion: 1, breakers: [{ endpoint: 'gzip' }, { endpoint: 'node' }] });
    expect(numbers.silences).toHaveLength(1);
    expect(numbers.machine.map(({ label }: { label: string }) => label)).toEqual([
      'CPU busy',
      'memory in use',
      'disk in use',
      'load a core',
      'processes',
      'hashing',
      'durable write',
      'process start',
    ]);
  });

  it('creates a page before anything has run', async () => {
    const { html, stdout } = await makeDashboard(() => undefined);
    expect(stdout).toMatch(/^dashboard: Nothing has run yet; 0 groups, /);
    expect(html).toContain('Nothing yet.');
  });
});

describe.skipIf(chromium === null)('the dashboard in a browser', () => {
  let browser: Browser;
  let file: string;
  beforeAll(async () => {
    browser = new Browser(chromium as string);
    ({ file } = await makeDashboard(fill));
  });
  afterAll(() => browser.close());

  /** The mean brightness of a picture, 0 to 255, and how many colours a sample of it has. */
  async function describePicture(page: Page, png: Buffer) {
    return page.evaluate<{ width: number; height: number; brightness: number; colours: number }>(`(async () => {
      const bytes = Uint8Array.from(atob('${png.toString('base64')}'), (sign) => sign.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes]));
      const context = new OffscreenCanvas(image.width, image.height).getContext('2d');
      context.drawImage(image, 0, 0);
      const { data } = context.getImageData(0, 0, image.width, image.height);
      let sum = 0, count = 0;
      const colours = new Set();
      for (let i = 0; i < data.length; i += 4 * 7) {
        sum += (data[i] + data[i + 1] + data[i + 2]) / 3;
        count += 1;
        colours.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
      }
      return { width: image.width, height: image.height, brightness: sum / count, colours: colours.size };
    })()`);
  }

  const texts = (page: Page, selector: string) =>
    page.evaluate<string[]>(`[...document.querySelectorAll('${selector}')].map((one) => one.textContent)`);

  it.each([
    ['light', 1200],
    ['dark', 1200],
    ['light', 380],
    ['dark', 380],
  ] as const)('is readable in %s mode at a width of %i', { timeout: 60_000 }, async (scheme, width) => {
    const page = await browser.open(file, { scheme, width });
    const png = await page.picture();
    if (process.env.PICTURES) writeFileSync(join(process.env.PICTURES, `dashboard-${scheme}-${width}.png`), png);
    const picture = await describePicture(page, png);
    expect(picture.width).toBe(width);
    expect(picture.height).toBeGreaterThan(800);
    expect(picture.colours, 'it shows something').toBeGreaterThan(20);
    if (scheme === 'light') expect(picture.brightness).toBeGreaterThan(200);
    else expect(picture.brightness).toBeLessThan(70);

    expect(await page.evaluate('document.documentElement.scrollWidth'), 'nothing to scroll sideways').toBe(width);
    const small = `[...document.querySelectorAll('h1, h2, h3, p, small, strong, li, text')].filter((one) => one.textContent.trim() !== '' && parseFloat(getComputedStyle(one).fontSize) * (one.ownerSVGElement ? one.getCTM().a : 1) < 11).length`;
    expect(await page.evaluate(small), 'text that is too small').toBe(0);
    const outside = `[...document.querySelectorAll('svg text, .card, figure')].filter((one) => { const box = one.getBoundingClientRect(); return box.left < 0 || box.right > ${width}; }).map((one) => one.textContent)`;
    expect(await page.evaluate(outside), 'what the edge cuts off').toEqual([]);
    expect(
      page.requested.filter((address) => !address.startsWith('file:')),
      'addresses outside',
    ).toEqual([]);
  });

  it('has enough contrast in light and dark mode', { timeout: 60_000 }, async () => {
    for (const scheme of ['light', 'dark'] as const) {
      const page = await browser.open(file, { scheme, width: 1200 });
      const ratios = await page.evaluate<Record<string, number>>(`(() => {
        const style = getComputedStyle(document.documentElement);
        const light = (name) => {
          const hex = style.getPropertyValue('--' + name).trim();
          const parts = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);
          const [r, g, b] = parts.map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const names = ['text', 'faint', 'well', 'failed', 'timed-out', 'interrupted', 'held'];
        return Object.fromEntries(names.map((name) => {
          const [a, b] = [light(name), light('card')].sort((x, y) => y - x);
          return [name, (a + 0.05) / (b + 0.05)];
        }));
      })()`);
      // WCAG 2.1 asks for 4.5 of text.
      for (const [name, ratio] of Object.entries(ratios)) expect(ratio, `${scheme} ${name}`).toBeGreaterThan(4.5);
    }
  });

  it('shows groups, runs, durations and machine as in the data', { timeout: 60_000 }, async () => {
    const page = await browser.open(file, { scheme: 'light', width: 1200 });
    const numbers = JSON.parse((await texts(page, '#numbers'))[0] ?? '') as {
      at: string;
      runs: { group: string; at: string; outcome: string; durationMs: number }[];
      machine: { samples: unknown[] }[];
    };
    expect(await texts(page, '#groups h3')).toEqual(['sync_<b>', 'report', 'broken', 'resting', 'constructor']);
    expect(await texts(page, '#groups .state')).toEqual([
      'succeeded',
      'held back',
      'timed-out',
      'paused',
      'has not run yet',
    ]);
    expect((await texts(page, '#groups .card'))[1]).toMatch(/took 40 s, dependency-failed: sync_<b>$/);

    const isRecent = ({ at }: { at: string }) => Date.parse(at) >= Date.parse(numbers.at) - day;
    const recent = numbers.runs.filter(isRecent);
    expect(await texts(page, '#timeline .label')).toEqual(['sync_<b>', 'report', 'broken', 'resting', 'constructor']);
    const bars = await texts(page, '#timeline .row rect:not(.held) title');
    expect(bars).toHaveLength(recent.length);
    expect(bars.filter((title) => title.includes(' failed at '))).toHaveLength(
      recent.filter(({ outcome }) => outcome === 'failed').length,
    );
    expect(await texts(page, '#timeline rect.held title')).toEqual([
      expect.stringMatching(/^report held back for 1 h 50 min \(dependency-failed: sync_<b>\)$/),
    ]);
    expect(await texts(page, '#timeline rect.silence title')).toEqual([
      expect.stringMatching(/^no tick from .* to .*$/),
    ]);
    const place = await page.evaluate<number[]>(
      `(() => { const all = document.querySelector('#timeline svg').getBoundingClientRect(); const one = document.querySelector('#timeline rect.silence').getBoundingClientRect(); return [(one.left - all.left) / all.width, one.width / all.width]; })()`,
    );
    expect(place[0]).toBeCloseTo(14 / 24, 2);
    expect(place[1]).toBeCloseTo(4 / 24, 2);

    expect(await texts(page, '#lengths strong')).toEqual(['sync_<b>', 'report']);
    expect(await texts(page, '#lengths small')).toEqual([
      expect.stringMatching(/^usually \d+(\.\d)? s, climbs by \d+ % a week$/),
      'usually 40 s, steady',
    ]);
    for (const [index, group] of ['sync_<b>', 'report'].entries()) {
      const dots = await page.evaluate(
        `document.querySelectorAll('#lengths svg')[${index}].querySelectorAll('circle').length`,
      );
      expect(dots).toBe(numbers.runs.filter((run) => run.group === group).length);
    }
    expect(await page.evaluate(`document.querySelectorAll('#lengths .trend').length`)).toBe(2);

    expect(await texts(page, '#machine figcaption span')).toHaveLength(8);
    expect((await texts(page, '#machine figcaption'))[2]).toBe('disk in use60 %median 60 %, 60 % to 60 %');
    const points = await page.evaluate<number[]>(
      `[...document.querySelectorAll('#machine figure')].map((one) => [...one.querySelectorAll('polyline')].map((line) => line.points.length).reduce((a, b) => a + b))`,
    );
    expect(points).toEqual(numbers.machine.map(({ samples }) => samples.length));
    expect(await texts(page, '#endpoints .state')).toEqual(['breaker half-open', 'breaker closed']);
  });
});
