import { plotStyle } from '../plot-style.ts';
import { scaleTo, type Scale } from '../scale.ts';
import { element, line, text } from '../svg.ts';
import { sizes } from './cases.ts';
import { logScale } from './log-scale.ts';
import { managerPanels, type Curve, type CurvePanel } from './plot-panels.ts';
import type { ManagerResults } from './results.ts';

const width = 960;
const margin = 28;
const headHeight = 82;
const panelHeight = 320;
const footHeight = 44;
const columnWidth = (width - margin) / 2;
const plotHeight = 190;
/** Room for the figures behind the last points. */
const figureWidth = 36;

/** Curves over the number of devices, in two columns. */
export function managerPlot(results: ManagerResults): string {
  const panels = managerPanels(results);
  const height = headHeight + Math.ceil(panels.length / 2) * panelHeight + footHeight;
  const drawn = panels.flatMap((panel, index) =>
    drawPanel(panel, margin + (index % 2) * columnWidth, headHeight + Math.floor(index / 2) * panelHeight),
  );
  return `${element(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img' },
    element('title', {}, 'The device manager by number of devices: times, operations per second, memory'),
    element('style', {}, `${plotStyle}${curveStyle}`),
    element('rect', { width, height, rx: 12, class: 'paper' }),
    text(margin, 38, 'head', 'What a device costs while others are managed'),
    text(margin, 62, 'soft', headWords(results)),
    ...drawn,
    line(margin, height - footHeight, width - margin, height - footHeight, 'grid'),
    text(margin, height - footHeight + 26, 'tick', footWords(results)),
  )}\n`;
}

function drawPanel({ title, unit, scale, curves, limit }: CurvePanel, left: number, top: number): string[] {
  const [plotLeft, plotRight] = [left + 52, left + columnWidth - margin - figureWidth];
  const [plotTop, plotBottom] = [top + 68, top + 68 + plotHeight];
  const x = logScale(sizes, plotLeft, plotRight);
  const values = curves.flatMap(({ points }) => points.map(([, value]) => value)).concat(limit?.at ?? []);
  const y =
    scale === 'linear'
      ? scaleTo(Math.max(...values), plotBottom, plotTop)
      : logScale(values, plotBottom, plotTop);
  return [
    text(left, top + 16, 'title', title),
    ...legend(curves, left, top + 40),
    text(left, top + 58, 'tick', unit),
    ...y.ticks.flatMap((tick) => [
      line(plotLeft, y.at(tick), plotRight, y.at(tick), 'grid'),
      text(plotLeft - 8, y.at(tick) + 4, 'tick', tickWords(tick), 'end'),
    ]),
    ...sizes.map((size) => text(x.at(size), plotBottom + 18, 'tick', tickWords(size), 'middle')),
    text((plotLeft + plotRight) / 2, plotBottom + 34, 'tick', 'devices that stay managed', 'middle'),
    ...(limit === undefined
      ? []
      : [
          line(plotLeft, y.at(limit.at), plotRight, y.at(limit.at), 'limit'),
          // Where no curve can run through it.
          text(plotRight, top + 58, 'limit-words', `– – ${limit.words}`, 'end'),
        ]),
    ...curves.flatMap((curve) => drawCurve(curve, x, y)),
  ];
}

/** A dashed curve has the colour and the name of a solid one. */
function legend(curves: readonly Curve[], left: number, y: number): string[] {
  let x = left;
  return curves.flatMap(({ title, colour, dashed }) => {
    if (dashed) return [];
    const start = x;
    x += 40 + title.length * 6.2;
    return [line(start, y - 4, start + 18, y - 4, `curve ${colour}`), text(start + 24, y, 'key', title)];
  });
}

function drawCurve({ colour, dashed, points, figure }: Curve, x: Scale, y: Scale): string[] {
  const places = points.map(([size, value]) => [x.at(size), y.at(value)] as const);
  const last = points.at(-1);
  return [
    element('polyline', {
      points: places.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(' '),
      class: `curve ${colour}${dashed ? ' dashed' : ''}`,
    }),
    ...places.map(([cx, cy]) => element('circle', { cx, cy, r: 2.5, class: `dot ${colour}` })),
    ...(last === undefined || !figure
      ? []
      : [text(x.at(last[0]) + 8, y.at(last[1]) + 4.5, 'figure', figureWords(last[1]))]),
  ];
}

function tickWords(tick: number): string {
  return tick >= 1e6 ? `${tick / 1e6} million` : tick.toLocaleString('en');
}

function figureWords(value: number): string {
  return value.toPrecision(value < 100 ? 2 : 3);
}

function headWords({ settings }: ManagerResults): string {
  const rounds = settings.sittings * settings.rounds;
  return `A receiver that does nothing. Mean: the median of ${rounds} rounds’ means; p99: of all single calls. Less is better, but for operations.`;
}

function footWords({ environment: e, startedAt }: ManagerResults): string {
  return [
    ...[`vmplug ${e.vmplug}`, `Node ${e.node}`, `${e.cores} cores, ${e.cpu}`, `store on ${e.fileSystem}`],
    ...['v1: Go, on a machine of this kind', startedAt.slice(0, 10)],
  ].join(' · ');
}

const curveStyle = `
polyline.curve { fill: none } .curve { stroke-width: 2 } .dashed { stroke-dasharray: 5 4 } .key { font-size: 12px }
.curve.own { stroke: #0f7b6c } .curve.tail { stroke: #6cb8ab } .curve.peer { stroke: #c77d2e } .curve.floor { stroke: #9aa4af }
.dot.tail { fill: #6cb8ab }
.curve.new { stroke: #0f7b6c } .curve.attach { stroke: #3b6fb6 } .curve.detach { stroke: #8a5bb5 } .curve.remove { stroke: #c77d2e }
.dot.new { fill: #0f7b6c } .dot.attach { fill: #3b6fb6 } .dot.detach { fill: #8a5bb5 } .dot.remove { fill: #c77d2e }
@media (prefers-color-scheme: dark) {
.curve.own, .curve.new { stroke: #2fb8a3 } .curve.tail { stroke: #24776b } .curve.peer, .curve.remove { stroke: #d9944a }
.curve.floor { stroke: #6e7681 } .curve.attach { stroke: #6ea8fe } .curve.detach { stroke: #b892e0 }
.dot.new { fill: #2fb8a3 } .dot.tail { fill: #24776b } .dot.attach { fill: #6ea8fe } .dot.detach { fill: #b892e0 }
.dot.remove { fill: #d9944a }
}`;
