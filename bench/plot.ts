import { panelsOf, type Bar, type Panel } from './plot-panels.ts';
import { scaleTo, type Scale } from './scale.ts';
import { plotStyle } from './plot-style.ts';
import type { Results } from './results.ts';
import { element, line, text } from './svg.ts';

const width = 900;
const margin = 28;
const barLeft = 222;
/** Room for the figures behind the longest bar. */
const barRight = width - margin - 150;
const headHeight = 82;
const titleHeight = 34;
const rowHeight = 30;
const barHeight = 16;
const axisHeight = 44;
const footHeight = 40;

/** Medians as bars with whiskers to the 95th percentile. Follows the reader's light or dark mode. */
export function plotOf(results: Results): string {
  const panels = panelsOf(results);
  let y = headHeight;
  const drawn = panels.map((panel) => {
    const top = y;
    y += titleHeight + panel.bars.length * rowHeight + axisHeight;
    return drawPanel(panel, top);
  });
  const height = y + footHeight;
  return `${element(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img' },
    element(
      'title',
      {},
      'vmplug beside QMP by hand and libvirt: medians and 95th percentiles in milliseconds',
    ),
    element('style', {}, plotStyle),
    element('rect', { width, height, rx: 12, class: 'paper' }),
    ...head(results),
    ...drawn.flat(),
    ...foot(results, height - footHeight),
  )}\n`;
}

function head({ settings, absent }: Results): string[] {
  const missing = absent.map(({ subject }) => ` ${subject} was not there.`).join('');
  return [
    text(margin, 38, 'head', 'Plugging a disk into a running VM'),
    text(
      margin,
      62,
      'soft',
      `Median of ${settings.runs} runs, whisker to the 95th percentile; milliseconds, less is better.${missing}`,
    ),
  ];
}

function drawPanel(panel: Panel, top: number): string[] {
  const first = top + titleHeight;
  const bottom = first + panel.bars.length * rowHeight;
  const most = Math.max(...panel.bars.map(({ p95 }) => p95), panel.limit?.at ?? 0);
  const scale = scaleTo(most, barLeft, barRight);
  return [
    text(margin, top + 20, 'title', panel.title),
    ...scale.ticks.flatMap((tick) => [
      line(scale.at(tick), first - 2, scale.at(tick), bottom, tick === 0 ? 'axis' : 'grid'),
      text(scale.at(tick), bottom + 16, 'tick', String(tick), 'middle'),
    ]),
    ...panel.bars.map((bar, index) => drawBar(bar, scale, first + index * rowHeight)),
    ...(panel.limit === undefined ? [] : drawLimit(panel.limit, scale.at(panel.limit.at), first, bottom)),
    ...panel.bars.flatMap((bar, index) => drawFigures(bar, panel, scale, first + index * rowHeight)),
  ];
}

function drawBar(bar: Bar, scale: Scale, top: number): string {
  const middle = top + rowHeight / 2;
  const [start, end, far] = [scale.at(0), scale.at(bar.median), scale.at(bar.p95)];
  const y = middle - barHeight / 2;
  return [
    element('rect', { x: start, y, width: end - start, height: barHeight, rx: 2, class: bar.colour }),
    line(end, middle, far, middle, 'whisker'),
    line(far, middle - 4, far, middle + 4, 'whisker'),
  ].join('');
}

/** Drawn over everything else, with a rim of paper around them. */
function drawFigures(bar: Bar, panel: Panel, scale: Scale, top: number): string[] {
  const y = top + rowHeight / 2 + 4.5;
  const ratio = bar.ratio === undefined ? '' : `${bar.ratio.toFixed(2)} × ${panel.base}`;
  return [
    text(barLeft - 12, y, 'name', bar.title, 'end'),
    text(scale.at(bar.p95) + 8, y, 'figure', bar.median.toFixed(1)),
    text(width - margin, y, bar.colour === 'own' ? 'ratio strong' : 'ratio', ratio, 'end'),
  ];
}

/** The words are at the margin, where no panel's limit can push them into its title. */
function drawLimit({ words }: { words: string }, x: number, first: number, bottom: number): string[] {
  return [
    line(x, first - 6, x, bottom, 'limit'),
    text(width - margin, first - 14, 'limit-words', `– – ${words}`, 'end'),
  ];
}

function foot({ environment: e, startedAt }: Results, y: number): string[] {
  const versions = [
    `vmplug ${e.vmplug}`,
    `QEMU ${e.qemu}`,
    ...(e.libvirt === undefined ? [] : [`libvirt ${e.libvirt}`]),
  ];
  const facts = [
    ...versions,
    `Node ${e.node}`,
    `${e.accel} on ${e.cores} cores`,
    e.fileSystem,
    startedAt.slice(0, 10),
  ];
  return [line(margin, y, width - margin, y, 'grid'), text(margin, y + 24, 'tick', facts.join(' · '))];
}
