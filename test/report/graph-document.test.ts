import fc from 'fast-check';
import { XMLValidator } from 'fast-xml-parser';
import { describe, expect, it } from 'vitest';
import type { Group } from '../../src/config/config.ts';
import { renderDot, renderMermaid } from '../../src/report/graph-diagrams.ts';
import { documentGraph, type GraphNode, selectAround } from '../../src/report/graph-document.ts';
import { escapeXml, renderSvg } from '../../src/report/graph-svg.ts';
import { renderTree } from '../../src/report/graph-tree.ts';
import type { State } from '../../src/state/state-schema.ts';
import { at, cron, day, every, hour, iso, makeGroup, makeState, minute, on, ran, ranAndEnded } from '../builders.ts';

const groups: readonly Group[] = [
  makeGroup('fetch', { schedule: every(10 * minute) }),
  makeGroup('metrics', { schedule: every(hour), enabled: false }),
  makeGroup('class', { schedule: { kind: 'manual' }, lane: 'side' }),
  makeGroup('end', { dependsOn: [on('fetch')], after: ['class', 'fetch'] }),
  makeGroup('graph', {
    schedule: cron('*/15 9-17 * * 1#2', 'Europe/Berlin'),
    dependsOn: [on('end'), on('metrics', { when: 'finished', within: 20 * minute })],
    description: 'says "hello" & <b>more</b>]]>\u0000',
  }),
  makeGroup('constructor', { dependsOn: [on('end')] }),
  makeGroup('alone', { schedule: every(day) }),
];
const nodes = documentGraph({ groups }, null).groups;
const state = makeState({
  fetch: ran(at - 10 * minute),
  metrics: ranAndEnded(at - hour, 'timed-out'),
  class: ranAndEnded(at - 2 * hour, 'failed', { consecutiveFailures: 3, pausedAt: iso(at - hour) }),
  graph: ranAndEnded(at - day, 'interrupted'),
});
const running = new Set(['constructor']);
const shaded = documentGraph({ groups }, { state, running }).groups;

function chain(count: number): GraphNode[] {
  const list = Array.from({ length: count }, (_, index) =>
    makeGroup(`g${index}`, { dependsOn: index > 0 ? [on(`g${index - 1}`)] : [] }),
  );
  return [...documentGraph({ groups: list }, null).groups];
}

describe('the graph document', () => {
  it('lists the dependencies, and the last outcomes if asked for', () => {
    expect(nodes[4]).toEqual({
      group: 'graph',
      description: 'says "hello" & <b>more</b>]]>\u0000',
      schedule: 'cron */15 9-17 * * 1#2 (Europe/Berlin)',
      enabled: true,
      lane: 'main',
      dependsOn: [
        { group: 'end', when: 'succeeded', withinMs: null },
        { group: 'metrics', when: 'finished', withinMs: 1_200_000 },
      ],
      after: [],
    });
    expect(shaded.map(({ state }) => state?.standing)).toEqual([
      'succeeded',
      'timed-out',
      'failed',
      'never-ran',
      'interrupted',
      'running',
      'never-ran',
    ]);
    expect(shaded[2]?.state).toEqual({
      standing: 'failed',
      finishedAt: iso(at - 2 * hour),
      paused: true,
      consecutiveFailures: 3,
    });
  });

  it('does not mistake inherited object properties for groups', () => {
    const strange = documentGraph({ groups: [makeGroup('toString')] }, { state: { ...state } as State, running });
    expect(strange.groups[0]?.state?.standing).toBe('never-ran');
  });

  it('is reduced to the dependencies and dependents of the chosen groups', () => {
    const names = (...chosen: string[]) => selectAround(groups, chosen).map(({ name }) => name);
    expect(names()).toEqual(groups.map(({ name }) => name));
    expect(names('end')).toEqual(['fetch', 'class', 'end', 'graph', 'constructor']);
    expect(names('metrics', 'alone')).toEqual(['metrics', 'graph', 'alone']);
    expect(selectAround(groups, ['metrics'])[1]?.dependsOn.map(({ group }) => group)).toEqual(['metrics']);
  });
});

describe('the text graph', () => {
  it('shows a shared group in full once', () => {
    expect(`\n${renderTree(nodes, { width: Number.POSITIVE_INFINITY, now: at })}\n`).toMatchInlineSnapshot(`
      "
      fetch              every 10m
      └─ end             every 10m · also after class
         ├─ graph        cron */15 9-17 * * 1#2 (Europe/Berlin) · also depends on metrics (finished, within 20m)
         └─ constructor  every 10m
      metrics            disabled · every 1h
      └─ graph           (see above) · finished, within 20m
      class              manual · lane side
      └╌ end             (see above)
      alone              every 1d

      ─ dependsOn  ╌ after (only orders)
      "
    `);
  });

  it('shows the last outcomes in 80 columns', () => {
    const text = renderTree(shaded, { width: 80, now: at });
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(`\n${text}\n`).toMatchInlineSnapshot(`
      "
      fetch              succeeded 10 min ago · every 10m
      └─ end             never ran · every 10m · also after class
         ├─ graph        interrupted 24 h ago · cron */15 9-17 * * 1#2 (Europe/Berlin…
         └─ constructor  running · every 10m
      metrics            timed-out 60 min ago · disabled · every 1h
      └─ graph           (see above) · finished, within 20m
      class              failed 2 h ago · paused · manual · lane side
      └╌ end             (see above)
      alone              never ran · every 1d

      ─ dependsOn  ╌ after (only orders)
      "
    `);
  });

  it('starts again at the left margin where it gets too deep', () => {
    const lines = renderTree(chain(5_000), { width: 80, now: at }).split('\n');
    expect(lines.filter((line) => line.includes('(continued)')).length).toBeGreaterThan(100);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    const named = lines.map((line) => /g\d+/.exec(line)?.[0]);
    expect(new Set(named).size).toBe(5_000);
  });

  it('shows each group in full once, and each edge', () => {
    const edges = fc.array(fc.tuple(fc.nat(19), fc.nat(19)), { maxLength: 50 });
    fc.assert(
      fc.property(edges, fc.constantFrom(60, 80, Number.POSITIVE_INFINITY), (pairs, width) => {
        const list = Array.from({ length: 20 }, (_, index) => {
          const before = new Set(pairs.filter(([from, to]) => to === index && from < to).map(([from]) => `n${from}`));
          return makeGroup(`n${index}`, { dependsOn: [...before].map((name) => on(name)) });
        });
        const lines = renderTree(documentGraph({ groups: list }, null).groups, { width, now: at }).split('\n');
        const full = lines.filter((line) => !line.includes('(see above)') && !line.includes('(continued)'));
        expect(full.map((line) => /n\d+/.exec(line)?.[0]).sort()).toEqual(list.map(({ name }) => name).sort());
        const count = list.reduce((sum, { dependsOn }) => sum + dependsOn.length, 0);
        expect(lines.filter((line) => /[├└]/.test(line)).length).toBe(count);
      }),
      { numRuns: 200 },
    );
  });

  it('does not let one long name widen the other lines', () => {
    const list = [makeGroup('a'.repeat(90)), makeGroup('b')];
    const [, second] = renderTree(documentGraph({ groups: list }, null).groups, { width: 80, now: at }).split('\n');
    expect(second).toMatch(/^b {1,25}every 10m$/);
  });

  it('says so if there are no groups', () =>
    expect(renderTree([], { width: 80, now: at })).toBe('There are no groups.'));
});

describe('the Mermaid graph', () => {
  it('identifies nodes by number and quotes every text', () => {
    expect(`\n${renderMermaid(shaded)}\n`).toMatchInlineSnapshot(`
      "
      flowchart LR
        n0["fetch<br>every 10m<br>succeeded"]
        n1["metrics<br>every 1h<br>disabled<br>timed-out"]
        n2["class<br>manual<br>lane side<br>failed<br>paused"]
        n3["end<br>every 10m<br>never ran"]
        n4["graph<br>cron #42;/15 9-17 #42; #42; 1#35;2 (Europe/Berlin)<br>interrupted"]
        n5["constructor<br>every 10m<br>running"]
        n6["alone<br>every 1d<br>never ran"]
        n0 --> n3
        n2 -.-> n3
        n3 --> n4
        n1 -->|"finished, within 20m"| n4
        n3 --> n5
        subgraph legend["how the last run ended"]
          legend_succeeded["succeeded"]
          legend_failed["failed"]
          legend_timed_out["timed-out"]
          legend_interrupted["interrupted"]
          legend_running["running"]
          legend_never_ran["never ran"]
        end
        classDef succeeded fill:#dafbe1,stroke:#1a7f37,color:#000
        class n0,legend_succeeded succeeded
        classDef failed fill:#ffebe9,stroke:#cf222e,color:#000
        class n2,legend_failed failed
        classDef timed_out fill:#fff1e5,stroke:#bc4c00,color:#000
        class n1,legend_timed_out timed_out
        classDef interrupted fill:#fff8c5,stroke:#9a6700,color:#000
        class n4,legend_interrupted interrupted
        classDef running fill:#ddf4ff,stroke:#0969da,color:#000
        class n5,legend_running running
        classDef never_ran fill:#f6f8fa,stroke:#8c959f,color:#000
        class n3,n6,legend_never_ran never_ran
        classDef disabled stroke-dasharray:4 3
        class n1 disabled
      "
    `);
  });

  it('has no special characters in its texts', () => {
    const texts = [...renderMermaid(shaded).matchAll(/"([^"]*)"/g)].map(([, text]) => text ?? '');
    for (const text of texts) expect(text.replaceAll('<br>', '')).toMatch(/^([\w .,:()/+-]|#\d+;)*$/);
  });
});

describe('the Graphviz graph', () => {
  it('conforms to the DOT grammar', () => {
    expect(() => parseDot(renderDot(shaded))).not.toThrow();
    expect(() => parseDot(renderDot(nodes))).not.toThrow();
    expect(parseDot(renderDot(nodes))).toEqual({
      nodes: groups.map(({ name }) => name),
      edges: ['fetch>end', 'class>end', 'end>graph', 'metrics>graph', 'end>constructor'],
    });
  });

  it('escapes quotes and backslashes', () => {
    const node = { ...(nodes[0] as GraphNode), schedule: 'a "b\\' };
    expect(renderDot([node])).toContain('label="fetch\\na \\"b\\\\"');
  });
});

describe('the SVG graph', () => {
  it.each([
    ['plain', renderSvg(nodes)],
    ['showing the state', renderSvg(shaded, 'as of 16:00 (UTC) <&>')],
    ['empty', renderSvg([])],
  ])('is valid XML without external references when %s', (_, svg) => {
    expect(XMLValidator.validate(svg)).toBe(true);
    expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|<script|@import|<image/);
    expect(svg).toContain('@media(prefers-color-scheme:dark)');
    expect(svg).not.toMatch(/NaN|Infinity|undefined|\u0000/);
  });

  it('has a legend of the outcomes in it, and tooltips', () => {
    const svg = renderSvg(shaded, 'as of 16:00 (UTC)');
    expect(svg).toContain('>never ran (2)<');
    expect(svg).toContain('>after (only orders)<');
    expect(svg).toContain('>as of 16:00 (UTC)<');
    expect(svg).toContain('says &#34;hello&#34; &#38; &#60;b&#62;more');
    expect(svg).toContain('graph depends on metrics (finished, within 20m)');
    expect(svg).toContain('end goes after class');
    expect(renderSvg(nodes)).not.toContain('never ran');
  });

  it('fits every text into its box, even the longest names', () => {
    const list = [makeGroup('x'.repeat(100)), makeGroup(`${'some_word_'.repeat(9)}more_words`)];
    const svg = renderSvg(documentGraph({ groups: list }, null).groups);
    const parts = [
      ...svg.matchAll(
        /<rect class="box[^"]*" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"[^>]*>(.*?)<\/g>/g,
      ),
    ];
    expect(parts).toHaveLength(2);
    for (const [, x, y, width, height, inside = ''] of parts) {
      expect(Number(width)).toBeLessThan(400);
      for (const [, kind, left, top, text = ''] of inside.matchAll(
        /<text class="(\w+)" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)/g,
      )) {
        const half = (text.length * (kind === 'name' ? 13 : 11) * 0.62) / 2;
        expect(Number(left) - half).toBeGreaterThanOrEqual(Number(x));
        expect(Number(left) + half).toBeLessThanOrEqual(Number(x) + Number(width));
        expect(Number(top)).toBeGreaterThan(Number(y) + 8);
        expect(Number(top)).toBeLessThan(Number(y) + Number(height));
      }
      const whole = [...inside.matchAll(/class="name"[^>]*>([^<]*)/g)].map(([, text]) => text).join('');
      expect(list.map(({ name }) => name)).toContain(whole);
    }
  });

  it('replaces the characters that XML can’t contain', () => {
    expect(escapeXml('a\u0000\u001b[1m\ud800\uffff"<\'&😀')).toBe('a��[1m��&#34;&#60;&#39;&#38;😀');
  });
});

/** The part of Graphviz's grammar (https://graphviz.org/doc/info/lang.html) that a graph of ours may use. */
function parseDot(text: string): { nodes: string[]; edges: string[] } {
  const tokens = [...text.matchAll(/"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|-?\d+(?:\.\d+)?|->|[{}[\]=,;]|\S/g)].map(
    ([token]) => token,
  );
  const found = { nodes: [] as string[], edges: [] as string[] };
  const reserved = new Set(['node', 'edge', 'graph', 'digraph', 'subgraph', 'strict']);
  const next = () => tokens.shift() ?? '';
  const isNext = (token: string) => tokens[0] === token;
  const expectToken = (token: string) => {
    const got = next();
    if (got !== token) throw new Error(`expected ${token}, got ${got}`);
  };
  const readId = (token = next()): string => {
    if (token.startsWith('"')) return token.slice(1, -1);
    if (!/^[\w-][\w.]*$/.test(token) || reserved.has(token)) throw new Error(`no id: ${token}`);
    return token;
  };
  const readAttributes = () => {
    if (!isNext('[')) return;
    next();
    while (!isNext(']')) {
      readId();
      expectToken('=');
      readId();
      if (isNext(',')) next();
    }
    next();
  };
  const readStatements = (isInner: boolean) => {
    expectToken('{');
    while (!isNext('}')) {
      const token = next();
      if (token === 'subgraph') {
        expect(readId()).toMatch(/^cluster/);
        readStatements(true);
        continue;
      }
      if (token === 'node' || token === 'edge') readAttributes();
      else {
        const id = readId(token);
        if (isNext('=')) {
          next();
          readId();
        } else if (isNext('->')) {
          next();
          found.edges.push(`${id}>${readId()}`);
          readAttributes();
        } else {
          if (!isInner) found.nodes.push(id);
          readAttributes();
        }
      }
      expectToken(';');
    }
    next();
  };
  expectToken('digraph');
  readId();
  readStatements(false);
  expect(tokens).toEqual([]);
  return found;
}
