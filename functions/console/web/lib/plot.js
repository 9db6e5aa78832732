// The wallet's last days: what was there at the end of each day, and marks for what moved it. Loaded with the wallet alone.
import { html, useEffect, useRef, useState } from './html.js';
import { money } from './money.js';
import uPlot from '../vendor/uplot.js';

/** What moves money, with the colour of its mark. @type {[string, string, string][]} */
export const MARKS = [
  ['top_up', 'Top-ups', '--good'],
  ['call', 'Calls', '--info'],
  ['phone_number', 'Numbers', '--violet'],
  ['sms', 'Messages', '--warn'],
];

const style = (/** @type {string} */ name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** @type {Promise<void> | null} */
let sheet = null;

/** The plot's own sheet, once: drawn without it everything would jump when it comes. */
function withSheet() {
  sheet ??= new Promise((done) => {
    const link = document.createElement('link');
    link.rel = 'stylesheet';
    link.href = new URL('../vendor/uplot.css', import.meta.url).href;
    link.onload = () => done();
    link.onerror = () => done();
    document.head.append(link);
  });
  return sheet;
}

/**
 * How the days are drawn, and what.
 * @param {{at: number, balance: number, moved: Record<string, number>}[]} days
 * @param {(at: number) => string} label
 * @param {number} width
 * @param {(at: number | null) => void} onSee
 */
function drawing(days, label, width, onSee) {
  const axis = {
    stroke: style('--muted'),
    grid: { stroke: style('--line'), width: 1 },
    ticks: { stroke: style('--line'), width: 1, size: 4 },
    font: '12px system-ui, sans-serif',
  };
  const xs = days.map((day) => day.at);
  const balance = days.map((day) => day.balance / 100);
  // Each kind has a row of its own above the line, so that no mark hides another.
  const marks = MARKS.map(([kind], row) => days.map((day) => (day.moved[kind] ? 0.98 - row * 0.055 : null)));
  const [least, most] = [Math.min(0, ...balance), Math.max(1, ...balance)];
  const accent = style('--accent');
  const options = {
    width: Math.max(220, width),
    height: 250,
    cursor: { points: { size: 7 }, drag: { x: false, y: false } },
    legend: { show: false },
    hooks: { setCursor: [(/** @type {any} */ plot) => onSee(plot.cursor.idx ?? null)] },
    scales: { x: { time: false }, y: { range: () => [least, most + (most - least) * 0.42] }, rows: { range: () => [0, 1] } },
    axes: [
      { ...axis, space: 70, values: (_, splits) => splits.map((at) => label(at)) },
      { ...axis, size: 62, values: (_, splits) => splits.map((pounds) => `£${Number(pounds).toLocaleString('en-GB')}`) },
    ],
    series: [
      {},
      { stroke: accent, width: 2, fill: `color-mix(in srgb, ${accent} 12%, transparent)`, points: { show: false } },
      ...MARKS.map(([, , colour]) => ({
        scale: 'rows',
        paths: () => null,
        stroke: style(colour),
        points: { show: true, size: 9, width: 1.5, stroke: style('--surface'), fill: style(colour) },
      })),
    ],
  };
  return [options, [xs, balance, ...marks]];
}

/**
 * @param {{days: {at: number, balance: number, moved: Record<string, number>}[], label: (at: number) => string}} props
 * `at` is the day's beginning in seconds
 */
export function Plot({ days, label }) {
  const ref = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [theme, setTheme] = useState(0);
  const [isReady, setReady] = useState(false);
  const [seen, setSeen] = useState(/** @type {number | null} */ (null));
  useEffect(() => {
    withSheet().then(() => setReady(true));
    const turn = () => setTheme((count) => count + 1);
    addEventListener('themechange', turn);
    return () => removeEventListener('themechange', turn);
  }, []);
  useEffect(() => {
    const host = ref.current;
    if (!host || !isReady || days.length === 0) return undefined;
    const [options, lines] = drawing(days, label, host.clientWidth, setSeen);
    const plot = new uPlot(/** @type {any} */ (options), /** @type {any} */ (lines), host);
    // What the picture shows is said in the table beside it.
    host.querySelector('.uplot')?.setAttribute('aria-hidden', 'true');
    const observer = new ResizeObserver(() => plot.setSize({ width: Math.max(220, host.clientWidth), height: 250 }));
    observer.observe(host);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [days, theme, isReady]);
  const first = days[0];
  const last = days.at(-1);
  const summary = first && last ? `From ${label(first.at)} to ${label(last.at)} the balance went from ${money(first.balance)} to ${money(last.balance)}.` : '';
  const day = seen === null ? last : days[seen];
  const moved = day ? MARKS.filter(([kind]) => day.moved[kind]).map(([kind, name]) => `${day.moved[kind]} × ${name.toLowerCase()}`) : [];
  return html`<figure>
    ${day && html`<p class="fine num" style=${{ whiteSpace: 'normal' }} aria-hidden="true">${label(day.at)}: <span class="strong">${money(day.balance)}</span>${moved.length > 0 ? `, ${moved.join(', ')}` : ''}</p>`}
    <div class="plot" ref=${ref} role="img" aria-label=${`The balance of the last ${days.length} days. ${summary}`}></div>
    <figcaption class="plot-legend">
      <span style=${{ color: 'var(--accent)' }}><i class="dot dot-line"></i></span><span>Balance at the end of the day</span>
      ${MARKS.map(([kind, name, colour]) => html`<span key=${kind}><i class="dot" style=${{ color: `var(${colour})` }}></i>${name}</span>`)}
    </figcaption>
  </figure>`;
}
