import { formatClock } from './quantity.ts';

/*
 * Charts as SVG for an HTML page. Along time, places are percentages, so that a chart fits any width while its text and
 * its dots keep their size; heights are pixels. Colours come from the page's style sheet, by class.
 */

/** The time that a chart spans, in ms since the epoch. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface Bar extends Span {
  /** For the style sheet: an outcome, or `held`. */
  readonly kind: string;
  readonly title: string;
}

export interface Row {
  readonly label: string;
  readonly bars: readonly Bar[];
}

const rowHeight = 34;
const axisHeight = 20;

/** A timeline: a row for each label, its bars in it; `shades` are marked over the whole height. */
export function drawTimeline(rows: readonly Row[], span: Span, shades: readonly Bar[]): string {
  const height = rows.length * rowHeight;
  const drawnRows = rows.map(({ label, bars }, index) => {
    const top = index * rowHeight;
    const drawn = bars.map((bar) => {
      // Trouble is higher than the rest: it must not be told by its colour alone.
      const [y, tall] = bar.kind === 'held' ? [top + 29, 3] : bar.kind === 'succeeded' ? [top + 19, 9] : [top + 16, 12];
      return drawBar(bar, span, y, tall);
    });
    return `<g class="row"><text class="label" x="0" y="${top + 12}">${escapeHtml(label)}</text>${drawn.join('')}</g>`;
  });
  const hours = stepsOf(span, 3 * 3_600_000).map(
    (at, index) =>
      `<line class="grid" x1="${x(at, span)}" x2="${x(at, span)}" y1="0" y2="${height}"/>${tick(at, span, height, formatClock(at), index)}`,
  );
  const shaded = shades.map((shade) => drawBar(shade, span, 0, height));
  return svg('timeline', height + axisHeight, 'What ran in the last 24 hours', [...hours, ...shaded, ...drawnRows]);
}

function drawBar({ kind, title, from, to }: Bar, span: Span, y: number, height: number): string {
  const [start, end] = [Math.max(from, span.from), Math.min(to, span.to)];
  const width = percent((Math.max(0, end - start) / (span.to - span.from)) * 100);
  return `<rect class="bar ${kind}" x="${x(start, span)}" y="${y}" width="${width}" height="${height}"><title>${escapeHtml(title)}</title></rect>`;
}

export interface Dot {
  readonly at: number;
  readonly value: number;
  readonly kind: string;
  readonly title: string;
}

const plotHeight = 96;
/** Above it there is room for the largest value. */
const plotTop = 18;

/** Dots over time from zero to the largest, with a line through them from its value at the beginning to that at the end. */
export function drawDots(
  dots: readonly Dot[],
  span: Span,
  line: { readonly begin: number; readonly end: number } | null,
  scale: { readonly label: string; readonly format: (value: number) => string },
): string {
  const top = Math.max(...dots.map(({ value }) => value), 0) || 1;
  const y = heightIn(0, top);
  const drawn = dots.map(
    ({ at, value, kind, title }) =>
      `<circle class="dot ${kind}" cx="${x(at, span)}" cy="${y(value)}" r="${kind === 'succeeded' ? 2 : 3.5}"><title>${escapeHtml(title)}</title></circle>`,
  );
  const trend =
    line === null ? [] : [`<line class="trend" x1="0" x2="100%" y1="${y(line.begin)}" y2="${y(line.end)}"/>`];
  return svg('dots', plotTop + plotHeight + axisHeight, scale.label, [
    ...drawGrid(span, [0, top], scale.format, y),
    ...drawn,
    ...trend,
  ]);
}

/** A line over time; where nothing was measured for long, it is broken. */
export function drawLine(
  samples: readonly { readonly at: number; readonly value: number }[],
  span: Span,
  scale: { readonly label: string; readonly format: (value: number) => string; readonly top?: number },
): string {
  const top = scale.top ?? (Math.max(...samples.map(({ value }) => value), 0) || 1);
  const y = heightIn(0, top);
  // Stretched to the chart's width, which the strokes are kept out of.
  const along = (at: number) => Math.round(((at - span.from) / (span.to - span.from)) * 100_000) / 100;
  const parts = breakUp(samples).map((part) => {
    const points = part.map(({ at, value }) => `${along(at)},${y(value)}`).join(' ');
    const ends = `${along(part.at(-1)?.at ?? 0)},${y(0)} ${along(part[0]?.at ?? 0)},${y(0)}`;
    return `<polygon class="area" points="${points} ${ends}"/><polyline class="line" points="${points}"/>`;
  });
  const height = plotTop + plotHeight;
  const plot = `<svg viewBox="0 0 1000 ${height}" width="100%" height="${height}" preserveAspectRatio="none">${parts.join('')}</svg>`;
  return svg('curve', height + axisHeight, scale.label, [...drawGrid(span, [0, top], scale.format, y), plot]);
}

function drawGrid(
  span: Span,
  values: readonly number[],
  format: (value: number) => string,
  y: (value: number) => number,
): string[] {
  const lines = values.map((value) => {
    const at = y(value);
    const text = value === 0 ? '' : `<text class="scale" x="0" y="${at - 4}">${escapeHtml(format(value))}</text>`;
    return `<line class="grid" x1="0" x2="100%" y1="${at}" y2="${at}"/>${text}`;
  });
  const day = 86_400_000;
  const days = stepsOf(span, day).map((at) => tick(at, span, plotTop + plotHeight, formatDay(at)));
  return [...lines, ...days];
}

const heightIn = (bottom: number, top: number) => (value: number) =>
  Math.round((plotTop + plotHeight * (1 - (value - bottom) / (top - bottom))) * 10) / 10;

/** The parts of a series between gaps, those of more than three times the usual distance. */
function breakUp<T extends { readonly at: number }>(samples: readonly T[]): T[][] {
  const gaps = samples.slice(1).map(({ at }, index) => at - (samples[index]?.at ?? at));
  const usual = gaps.toSorted((a, b) => a - b)[gaps.length >> 1] ?? 0;
  const parts: T[][] = [];
  for (const [index, sample] of samples.entries()) {
    if (index === 0 || (gaps[index - 1] ?? 0) > 3 * usual) parts.push([]);
    parts.at(-1)?.push(sample);
  }
  return parts;
}

/** A phone has room for every other one. */
function tick(at: number, span: Span, bottom: number, text: string, index = 0): string {
  return `<text class="tick${index % 2 === 1 ? ' odd' : ''}" x="${x(at, span)}" y="${bottom + 14}">${escapeHtml(text)}</text>`;
}

/** The instants of a grid within a span; not so near its ends that their labels would be cut off. */
function stepsOf({ from, to }: Span, step: number): number[] {
  const steps: number[] = [];
  const margin = (to - from) * 0.04;
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    if (at >= from + margin && at <= to - margin) steps.push(at);
  }
  return steps;
}

function formatDay(at: number): string {
  return new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' }).format(at);
}

function x(at: number, { from, to }: Span): string {
  return percent(((at - from) / (to - from)) * 100);
}

function percent(value: number): string {
  return `${Math.round(Math.min(100, Math.max(0, value)) * 1000) / 1000}%`;
}

function svg(kind: string, height: number, label: string, parts: readonly string[]): string {
  return `<svg class="chart ${kind}" width="100%" height="${height}" role="img" aria-label="${escapeHtml(label)}">${parts.join('')}</svg>`;
}

/** A text fit for HTML, within an element or an attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
