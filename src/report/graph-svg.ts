import { colours, factsOf, nameStanding, standingsOf } from './graph-diagrams.ts';
import { type Edge, edgesOf, type GraphNode, type Standing } from './graph-document.ts';
import { type Layout, layOut, type Point } from './graph-layout.ts';

/** One font for all, of which every letter is equally wide: a box is as wide as its text without asking a browser. */
const font = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace";
/** The width of a letter, in parts of the font's size, in the widest of these fonts. */
const letter = 0.62;
const nameSize = 13;
const factSize = 11;
const padding = 12;
const margin = 24;
const longestName = 34;
const longestFact = 44;

const page = { light: { ground: '#ffffff', ink: '#1f2328', muted: '#59636e', line: '#8c959f', box: '#f6f8fa' } };
const dark = { ground: '#0d1117', ink: '#e6edf3', muted: '#9198a1', line: '#6e7681', box: '#161b22' };
const darkColours: typeof colours = {
  succeeded: { fill: '#0f2417', line: '#3fb950' },
  failed: { fill: '#301216', line: '#f85149' },
  'timed-out': { fill: '#2e1a08', line: '#f0883e' },
  interrupted: { fill: '#29210f', line: '#d29922' },
  running: { fill: '#0c2340', line: '#58a6ff' },
  'never-ran': { fill: '#161b22', line: '#6e7681' },
};

interface Card {
  readonly node: GraphNode;
  readonly names: readonly string[];
  readonly facts: readonly string[];
  readonly width: number;
  readonly height: number;
}

/**
 * The graph as a picture that needs nothing else: light or dark as the reader's system is.
 *
 * @param caption a line below it, such as the instant that its colours are of; empty for none
 */
export function renderSvg(nodes: readonly GraphNode[], caption = ''): string {
  const edges = edgesOf(nodes);
  const cards = nodes.map((node, index) => makeCard(node, edges, nodes, index));
  const layout = layOut(
    cards,
    edges.map(({ from, to }) => [from, to]),
  );
  const keys = legendOf(nodes, edges, caption);
  const width = Math.ceil(Math.max(layout.width, widthOfLegend(keys), 120) + 2 * margin);
  const height = Math.ceil(layout.height + 2 * margin + (keys.length > 0 ? 34 : 0));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title">`,
    `<title id="title">${nodes.length === 1 ? '1 group' : `${nodes.length} groups`} and what they depend on</title>`,
    `<style>${style()}</style>`,
    // A marker takes no colour from its line everywhere, and all lines are of one colour.
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path class="tip" d="M0 0.5 8 4 0 7.5z"/></marker></defs>',
    `<rect class="ground" width="${width}" height="${height}"/>`,
    `<g transform="translate(${margin} ${margin})">`,
    ...edges.map((edge, index) => drawEdge(edge, nodes, layout.routes[index] ?? [], layout.direction)),
    ...cards.map((card, index) => drawCard(card, layout, index)),
    '</g>',
    ...drawLegend(keys, layout.height + margin + 28),
    '</svg>',
  ].join('\n');
}

function style(): string {
  const rules = (tone: typeof dark, palette: typeof colours): string =>
    [
      `.ground{fill:${tone.ground}}.name{fill:${tone.ink}}.fact,.key{fill:${tone.muted}}`,
      `.box{fill:${tone.box};stroke:${tone.line}}.edge{stroke:${tone.line}}.tip{fill:${tone.line}}`,
      ...Object.entries(palette).map(([standing, { fill, line }]) => `.${standing}{fill:${fill};stroke:${line}}`),
    ].join('');
  return [
    `text{font-family:${font};font-size:${factSize}px}.name{font-size:${nameSize}px;font-weight:600}`,
    '.edge{fill:none;stroke-width:1.3}.after,.off{stroke-dasharray:5 4}.box{stroke-width:1.3}.off~text{opacity:.65}',
    rules(page.light, colours),
    `@media(prefers-color-scheme:dark){${rules(dark, darkColours)}}`,
  ].join('');
}

function makeCard(node: GraphNode, edges: readonly Edge[], nodes: readonly GraphNode[], index: number): Card {
  const names = breakName(node.group);
  const conditions = edges
    .filter(({ to, condition }) => to === index && condition !== '')
    .map(({ from, condition }) => `${nodes[from]?.group}: ${condition}`);
  const facts = [...factsOf(node), ...conditions].map(shortenFact);
  const width = Math.max(
    ...names.map((line) => line.length * nameSize * letter),
    ...facts.map((line) => line.length * factSize * letter),
  );
  return {
    node,
    names,
    facts,
    width: Math.ceil(width) + 2 * padding,
    // Even, so that the middle of a box lies on a whole pixel.
    height: 2 * Math.ceil((names.length * 17 + facts.length * 15 + 16) / 2),
  };
}

/** A long name on several lines, broken after `_` or `-` where there is one. */
function breakName(name: string): string[] {
  const lines: string[] = [];
  let rest = name;
  while (rest.length > longestName) {
    const head = rest.slice(0, longestName);
    const at = Math.max(head.lastIndexOf('_'), head.lastIndexOf('-')) + 1;
    const length = at > longestName / 2 ? at : longestName;
    lines.push(rest.slice(0, length));
    rest = rest.slice(length);
  }
  return [...lines, rest];
}

function shortenFact(text: string): string {
  return text.length <= longestFact ? text : `${text.slice(0, longestFact - 1)}…`;
}

function drawCard({ node, names, facts }: Card, layout: Layout, index: number): string {
  const box = layout.boxes[index] ?? { x: 0, y: 0, width: 0, height: 0 };
  const classes = ['box', ...(node.state ? [node.state.standing] : []), ...(node.enabled ? [] : ['off'])].join(' ');
  const title = [node.group, node.description ?? '', ...factsOf(node)].filter((line) => line !== '').join('\n');
  const middle = box.x + box.width / 2;
  let y = box.y + (box.height - names.length * 17 - facts.length * 15) / 2;
  const line = (text: string, name: 'name' | 'fact'): string => {
    y += name === 'name' ? 17 : 15;
    return `<text class="${name}" x="${middle}" y="${y - 4}" text-anchor="middle">${escapeXml(text)}</text>`;
  };
  return [
    `<g><title>${escapeXml(title)}</title>`,
    `<rect class="${classes}" x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}" rx="7"/>`,
    ...names.map((text) => line(text, 'name')),
    ...facts.map((text) => line(text, 'fact')),
    '</g>',
  ].join('');
}

function drawEdge(
  { from, to, kind, condition }: Edge,
  nodes: readonly GraphNode[],
  route: readonly Point[],
  direction: Layout['direction'],
): string {
  const [start = [0, 0], ...rest] = route;
  let path = `M${start[0]} ${start[1]}`;
  let last: Point = start;
  for (const [index, point] of rest.entries()) {
    if (index % 2 === 1) path += `L${point[0]} ${point[1]}`;
    else if (direction === 'right') {
      const middle = (last[0] + point[0]) / 2;
      path += `C${middle} ${last[1]} ${middle} ${point[1]} ${point[0]} ${point[1]}`;
    } else {
      const middle = (last[1] + point[1]) / 2;
      path += `C${last[0]} ${middle} ${point[0]} ${middle} ${point[0]} ${point[1]}`;
    }
    last = point;
  }
  const [earlier, later] = [nodes[from]?.group, nodes[to]?.group];
  const title =
    kind === 'after'
      ? `${later} goes after ${earlier}`
      : `${later} depends on ${earlier}${condition === '' ? '' : ` (${condition})`}`;
  const classes = kind === 'after' ? 'edge after' : 'edge';
  return `<path class="${classes}" d="${path}" marker-end="url(#arrow)"><title>${escapeXml(title)}</title></path>`;
}

type Key = { readonly text: string; readonly sign: Standing | 'dependsOn' | 'after' | null };

function legendOf(nodes: readonly GraphNode[], edges: readonly Edge[], caption: string): Key[] {
  const counted = standingsOf(nodes).map((standing): Key => {
    const count = nodes.filter(({ state }) => state?.standing === standing).length;
    return { sign: standing, text: `${nameStanding(standing)} (${count})` };
  });
  const hasAfter = edges.some(({ kind }) => kind === 'after');
  const lines: Key[] = hasAfter
    ? [
        { sign: 'dependsOn', text: 'dependsOn' },
        { sign: 'after', text: 'after (only orders)' },
      ]
    : [];
  return [...counted, ...lines, ...(caption === '' ? [] : [{ sign: null, text: caption }])];
}

function widthOfKey({ sign, text }: Key): number {
  return (sign === null ? 0 : 26) + text.length * factSize * letter + 20;
}

function widthOfLegend(keys: readonly Key[]): number {
  return keys.reduce((sum, key) => sum + widthOfKey(key), 0);
}

function drawLegend(keys: readonly Key[], y: number): string[] {
  let x = margin;
  return keys.map((key) => {
    const { sign, text } = key;
    const isLine = sign === 'dependsOn' || sign === 'after';
    const mark =
      sign === null
        ? ''
        : isLine
          ? `<path class="edge${sign === 'after' ? ' after' : ''}" d="M${x} ${y}h20" marker-end="url(#arrow)"/>`
          : `<rect class="box ${sign}" x="${x}" y="${y - 7}" width="20" height="14" rx="4"/>`;
    const label = `<text class="key" x="${x + (sign === null ? 0 : 26)}" y="${y + 4}">${escapeXml(text)}</text>`;
    x += widthOfKey(key);
    return `${mark}${label}`;
  });
}

/** Text as XML takes it; characters that XML 1.0 has no place for (section 2.2) are shown as U+FFFD. */
export function escapeXml(text: string): string {
  const sound = text.replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd');
  return sound.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
