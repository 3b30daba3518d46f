/** The style of the dashboard: light and dark as the reader's system is, one column on a phone. */
export const style = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --text: #1b1f27; --faint: #5b6472; --rule: #dde1e8;
  --well: #1f7a5c; --failed: #c62839; --timed-out: #b45309; --interrupted: #7c3aed; --held: #667080;
  --line: #2563c9; --area: #2563c922; --shade: #c6283914;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12151b; --card: #1b2029; --text: #e7eaf0; --faint: #9aa4b4; --rule: #313947;
    --well: #4cc38a; --failed: #ff6b77; --timed-out: #f5a347; --interrupted: #b794f6; --held: #97a1b1;
    --line: #6ea8fe; --area: #6ea8fe26; --shade: #ff6b7720;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 16px; max-width: 1200px; background: var(--page); color: var(--text);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
h1 { font-size: 22px; margin: 8px 0 0; }
h2 { font-size: 16px; margin: 24px 0 8px; }
header p, .faint, small { color: var(--faint); margin: 2px 0; font-size: 13px; }
.cards { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); }
.card, figure {
  background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 12px; margin: 0; min-width: 0;
}
.card h3 { font-size: 15px; margin: 0 0 4px; overflow-wrap: anywhere; }
.card p { margin: 0; font-size: 13px; overflow-wrap: anywhere; }
.card p:not(.state) { color: var(--faint); }
figcaption { display: flex; flex-wrap: wrap; gap: 2px 10px; align-items: baseline; margin-bottom: 6px; }
figcaption strong { font-size: 18px; }
.state { font-weight: 600; }
.state::before { content: "● "; }
.chart { display: block; overflow: visible; }
.chart text { fill: var(--faint); font-size: 11px; }
.chart .label { fill: var(--text); font-size: 12px; }
.chart .tick { text-anchor: middle; }
@media (max-width: 600px) { .chart .odd { display: none; } }
.grid { stroke: var(--rule); }
.bar { stroke-width: 1.5; }
.dot { opacity: .8; }
.succeeded { fill: var(--well); stroke: var(--well); color: var(--well); }
.failed { fill: var(--failed); stroke: var(--failed); color: var(--failed); }
.timed-out { fill: var(--timed-out); stroke: var(--timed-out); color: var(--timed-out); }
.interrupted { fill: var(--interrupted); stroke: var(--interrupted); color: var(--interrupted); }
.held, .paused, .never { fill: var(--held); stroke: var(--held); color: var(--held); }
.chart .silence { fill: var(--shade); stroke: none; }
.trend { stroke: var(--line); stroke-width: 2; stroke-dasharray: 6 4; }
.line { fill: none; stroke: var(--line); stroke-width: 2; vector-effect: non-scaling-stroke; }
.area { fill: var(--area); }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 12px; margin: 8px 0 0; padding: 0; list-style: none; }
.legend li::before { content: "■ "; }
.legend .silence { color: var(--failed); opacity: .7; }
`;
