import { plotStyle } from '../plot-style.ts';
import { scaleTo, type Scale } from '../scale.ts';
import { element, line, text } from '../svg.ts';
import type { SoakResults } from './results.ts';
import type { SoakSample } from './sample.ts';

interface SoakPanel {
  readonly title: string;
  readonly unit: string;
  readonly curves: readonly { title: string; colour: string; of: (sample: SoakSample) => number }[];
}

const mebibytes = (bytes: number): number => bytes / 2 ** 20;

const panels: readonly SoakPanel[] = [
  {
    title: 'Memory of vmplug’s process',
    unit: 'MiB',
    curves: [
      { title: 'resident', colour: 'own', of: ({ vmplug }) => mebibytes(vmplug.resident) },
      { title: 'heap after a collection', colour: 'attach', of: ({ vmplug }) => mebibytes(vmplug.heap) },
    ],
  },
  {
    title: 'Memory of QEMU without its guest’s',
    unit: 'MiB',
    curves: [
      { title: 'its own', colour: 'own', of: ({ qemu }) => mebibytes(qemu.own) },
      { title: 'code compiled by TCG', colour: 'peer', of: ({ qemu }) => mebibytes(qemu.code) },
    ],
  },
  {
    title: 'Counts',
    unit: 'while nothing is attached',
    curves: [
      { title: 'descriptors of vmplug', colour: 'own', of: ({ vmplug }) => vmplug.descriptors },
      { title: 'of QEMU', colour: 'peer', of: ({ qemu }) => qemu.descriptors },
      { title: 'block nodes', colour: 'attach', of: ({ qemu }) => qemu.blockNodes },
      { title: 'devices', colour: 'detach', of: ({ qemu }) => qemu.devices },
    ],
  },
  {
    title: 'The store with its log',
    unit: 'MiB',
    curves: [{ title: 'size of the files', colour: 'own', of: ({ store }) => mebibytes(store.size) }],
  },
];

const width = 960;
const margin = 28;
const headHeight = 82;
const panelHeight = 300;
const footHeight = 44;
const columnWidth = (width - margin) / 2;
const plotHeight = 180;

/** Curves over the number of cycles, in two columns. Follows the reader's light or dark mode. */
export function soakPlot(results: SoakResults): string {
  const height = headHeight + Math.ceil(panels.length / 2) * panelHeight + footHeight;
  const drawn = panels.flatMap((panel, index) =>
    drawPanel(
      panel,
      results.samples,
      margin + (index % 2) * columnWidth,
      headHeight + Math.floor(index / 2) * panelHeight,
    ),
  );
  return `${element(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img' },
    element('title', {}, 'Memory, descriptors, block nodes and the store over many attaches and detaches'),
    element('style', {}, `${plotStyle}${curveStyle}`),
    element('rect', { width, height, rx: 12, class: 'paper' }),
    text(margin, 38, 'head', `${results.settings.cycles.toLocaleString('en')} times in and out again`),
    text(margin, 62, 'soft', 'One disk of a running guest, in turn as virtio-blk and virtio-scsi.'),
    ...drawn,
    line(margin, height - footHeight, width - margin, height - footHeight, 'grid'),
    text(margin, height - footHeight + 26, 'tick', footWords(results)),
  )}\n`;
}

function drawPanel(
  { title, unit, curves }: SoakPanel,
  samples: readonly SoakSample[],
  left: number,
  top: number,
): string[] {
  const [plotLeft, plotRight] = [left + 44, left + columnWidth - margin - 44];
  const [plotTop, plotBottom] = [top + 66, top + 66 + plotHeight];
  const x = scaleTo(samples.at(-1)?.cycles ?? 1, plotLeft, plotRight);
  const y = scaleTo(
    Math.max(...samples.flatMap((sample) => curves.map(({ of }) => of(sample)))),
    plotBottom,
    plotTop,
  );
  return [
    text(left, top + 16, 'title', title),
    ...legend(curves, left, top + 38),
    text(left, top + 56, 'tick', unit),
    ...y.ticks.flatMap((tick) => [
      line(plotLeft, y.at(tick), plotRight, y.at(tick), 'grid'),
      text(plotLeft - 8, y.at(tick) + 4, 'tick', short(tick), 'end'),
    ]),
    ...x.ticks.map((tick) => text(x.at(tick), plotBottom + 18, 'tick', short(tick), 'middle')),
    text((plotLeft + plotRight) / 2, plotBottom + 34, 'tick', 'attaches with their detaches', 'middle'),
    ...curves.flatMap(({ colour, of }) => drawCurve(samples, of, colour, x, y)),
  ];
}

function legend(curves: SoakPanel['curves'], left: number, y: number): string[] {
  let x = left;
  return curves.flatMap(({ title, colour }) => {
    const start = x;
    x += 38 + title.length * 6.1;
    return [line(start, y - 4, start + 16, y - 4, `curve ${colour}`), text(start + 21, y, 'key', title)];
  });
}

function drawCurve(
  samples: readonly SoakSample[],
  of: (sample: SoakSample) => number,
  colour: string,
  x: Scale,
  y: Scale,
): string[] {
  const points = samples.map((sample) => `${x.at(sample.cycles).toFixed(1)},${y.at(of(sample)).toFixed(1)}`);
  const last = samples.at(-1);
  return [
    element('polyline', { points: points.join(' '), class: `curve ${colour}` }),
    ...(last === undefined
      ? []
      : [text(x.at(last.cycles) + 6, y.at(of(last)) + 4.5, 'figure', short(of(last)))]),
  ];
}

function short(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en');
}

function footWords({ environment: e, startedAt }: SoakResults): string {
  return [
    ...[`vmplug ${e.vmplug}`, `QEMU ${e.qemu}`, `Node ${e.node}`, `${e.accel} on ${e.cores} cores`],
    ...[`store on ${e.fileSystem}`, startedAt.slice(0, 10)],
  ].join(' · ');
}

const curveStyle = `
polyline.curve { fill: none } .curve { stroke-width: 2 } .key { font-size: 12px }
.curve.own { stroke: #0f7b6c } .curve.peer { stroke: #c77d2e } .curve.attach { stroke: #3b6fb6 } .curve.detach { stroke: #8a5bb5 }
@media (prefers-color-scheme: dark) {
.curve.own { stroke: #2fb8a3 } .curve.peer { stroke: #d9944a } .curve.attach { stroke: #6ea8fe } .curve.detach { stroke: #b892e0 }
}`;
