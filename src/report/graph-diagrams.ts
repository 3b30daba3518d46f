import { mainLane } from '../config/config.ts';
import { edgesOf, type GraphNode, type Standing, standings } from './graph-document.ts';

/** The colours of a standing, on a light page: an area, its border. Text on it is black. */
export const colours: Record<Standing, { readonly fill: string; readonly line: string }> = {
  succeeded: { fill: '#dafbe1', line: '#1a7f37' },
  failed: { fill: '#ffebe9', line: '#cf222e' },
  'timed-out': { fill: '#fff1e5', line: '#bc4c00' },
  interrupted: { fill: '#fff8c5', line: '#9a6700' },
  running: { fill: '#ddf4ff', line: '#0969da' },
  'never-ran': { fill: '#f6f8fa', line: '#8c959f' },
};

/** The standings that occur, in a fixed order; none where no state was asked for. */
export function standingsOf(nodes: readonly GraphNode[]): Standing[] {
  return standings.filter((standing) => nodes.some(({ state }) => state?.standing === standing));
}

/** A standing as people read it. */
export function nameStanding(standing: Standing): string {
  return standing === 'never-ran' ? 'never ran' : standing;
}

/** What is said of a group in a picture, below its name. */
export function factsOf(node: GraphNode): string[] {
  const { schedule, enabled, lane, state } = node;
  return [
    schedule,
    ...(lane === mainLane ? [] : [`lane ${lane}`]),
    ...(enabled ? [] : ['disabled']),
    ...(state === undefined ? [] : [nameStanding(state.standing)]),
    ...(state?.paused ? ['paused'] : []),
  ];
}

/**
 * The graph for Mermaid (https://mermaid.js.org/syntax/flowchart.html), which Markdown on many sites draws. Nodes go by
 * numbers, since `end`, `class` and `graph` are words of its language.
 */
export function renderMermaid(nodes: readonly GraphNode[]): string {
  const lines = ['flowchart LR'];
  for (const [index, node] of nodes.entries()) {
    const label = [node.group, ...factsOf(node)].map(quoteMermaid).join('<br>');
    lines.push(`  n${index}["${label}"]`);
  }
  for (const { from, to, kind, condition } of edgesOf(nodes)) {
    const label = condition === '' ? '' : `|"${quoteMermaid(condition)}"|`;
    lines.push(`  n${from} ${kind === 'after' ? '-.->' : '-->'}${label} n${to}`);
  }
  const disabled = nodes.flatMap(({ enabled }, index) => (enabled ? [] : [`n${index}`]));
  const shown = standingsOf(nodes);
  if (shown.length > 0) {
    lines.push('  subgraph legend["how the last run ended"]');
    for (const standing of shown) lines.push(`    legend_${wordOf(standing)}["${nameStanding(standing)}"]`);
    lines.push('  end');
  }
  for (const standing of shown) {
    const { fill, line } = colours[standing];
    const members = nodes.flatMap(({ state }, index) => (state?.standing === standing ? [`n${index}`] : []));
    lines.push(`  classDef ${wordOf(standing)} fill:${fill},stroke:${line},color:#000`);
    lines.push(`  class ${[...members, `legend_${wordOf(standing)}`].join(',')} ${wordOf(standing)}`);
  }
  if (disabled.length > 0) {
    lines.push('  classDef disabled stroke-dasharray:4 3', `  class ${disabled.join(',')} disabled`);
  }
  return lines.join('\n');
}

function wordOf(standing: Standing): string {
  return standing.replace('-', '_');
}

/** Anything that might mean something to Mermaid, or to the HTML that it makes, as its code for that character. */
function quoteMermaid(text: string): string {
  return text.replace(/[^\w .,:()/+-]/gu, (character) => `#${character.codePointAt(0)};`);
}

/** The graph for Graphviz (https://graphviz.org/doc/info/lang.html). */
export function renderDot(nodes: readonly GraphNode[]): string {
  const lines = [
    'digraph rhythm {',
    '  rankdir=LR;',
    '  node [shape=box, style="rounded,filled", fillcolor="white", fontname="sans-serif", fontsize=11];',
    '  edge [fontname="sans-serif", fontsize=9];',
  ];
  for (const node of nodes) {
    const label = [node.group, ...factsOf(node)].map(escapeDot).join('\\n');
    const { fill, line } = node.state ? colours[node.state.standing] : { fill: 'white', line: 'black' };
    const style = node.enabled ? '' : ', style="rounded,filled,dashed"';
    lines.push(`  ${quoteDot(node.group)} [label="${label}", fillcolor="${fill}", color="${line}"${style}];`);
  }
  for (const { from, to, kind, condition } of edgesOf(nodes)) {
    const attributes = [
      ...(kind === 'after' ? ['style=dashed'] : []),
      ...(condition === '' ? [] : [`label="${escapeDot(condition)}"`]),
    ];
    const [start, end] = [nodes[from]?.group ?? '', nodes[to]?.group ?? ''].map(quoteDot);
    lines.push(`  ${start} -> ${end}${attributes.length === 0 ? '' : ` [${attributes.join(', ')}]`};`);
  }
  const shown = standingsOf(nodes);
  if (shown.length > 0) {
    lines.push('  subgraph "cluster legend" {', '    label="how the last run ended";', '    fontname="sans-serif";');
    for (const standing of shown) {
      const { fill, line } = colours[standing];
      const label = nameStanding(standing);
      // No group can be called so: names have no colon.
      lines.push(`    "legend: ${standing}" [label="${label}", fillcolor="${fill}", color="${line}"];`);
    }
    lines.push('  }');
  }
  lines.push('}');
  return lines.join('\n');
}

function quoteDot(name: string): string {
  return `"${escapeDot(name)}"`;
}

function escapeDot(text: string): string {
  return text.replace(/["\\]/g, '\\$&');
}
