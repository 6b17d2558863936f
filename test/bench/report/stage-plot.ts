import { LAYER_STAGES, type LayerStage } from '../harness/bench-stats.js';

/** One bar: the stages of a layer in one configuration, in milliseconds. */
export interface StageBar {
  readonly title: string;
  readonly stagesMs: Readonly<Record<LayerStage, number>>;
}

// Colours that stay apart for people who cannot tell red from green (Okabe and Ito).
const COLOURS: Readonly<Record<LayerStage, string>> = {
  dense: '#0072b2',
  serialise: '#e69f00',
  wire: '#d55e00',
  wait: '#cc79a7',
  compute: '#009e73',
  combine: '#56b4e9',
};
const WIDTH = 900;
const LABEL_WIDTH = 220;
const VALUE_WIDTH = 80;
const BAR_HEIGHT = 26;
const BAR_GAP = 14;
const TOP = 70;
const LEGEND_STEP = 105;

/** An SVG of where the time of a layer goes: a bar for each configuration, a colour for each stage. */
export function stagePlot(heading: string, bars: readonly StageBar[]): string {
  const longestMs = Math.max(...bars.map(totalMs), Number.MIN_VALUE);
  const pixelsPerMs = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / longestMs;
  const height = TOP + bars.length * (BAR_HEIGHT + BAR_GAP);
  const legend = LAYER_STAGES.map((stage, index) => {
    const x = LABEL_WIDTH + index * LEGEND_STEP;
    return rect(x, 36, 14, 14, COLOURS[stage], stage) + text(x + 20, 48, stage);
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(WIDTH)} ${String(height)}" ` +
      'font-family="sans-serif" font-size="13">',
    `<rect width="${String(WIDTH)}" height="${String(height)}" fill="#ffffff"/>`,
    text(10, 22, heading, 'font-weight="bold"'),
    ...legend,
    ...bars.map((bar, index) => drawBar(bar, TOP + index * (BAR_HEIGHT + BAR_GAP), pixelsPerMs)),
    '</svg>',
    '',
  ].join('\n');
}

function drawBar(bar: StageBar, y: number, pixelsPerMs: number): string {
  let x = LABEL_WIDTH;
  const pieces = LAYER_STAGES.map((stage) => {
    const width = bar.stagesMs[stage] * pixelsPerMs;
    const piece = rect(x, y, width, BAR_HEIGHT, COLOURS[stage], `${stage}: ${bar.stagesMs[stage].toFixed(3)} ms`);
    x += width;
    return piece;
  });
  const baseline = y + BAR_HEIGHT / 2 + 5;
  const total = text(x + 6, baseline, `${totalMs(bar).toFixed(2)} ms`);
  return [text(LABEL_WIDTH - 10, baseline, bar.title, 'text-anchor="end"'), ...pieces, total].join('\n');
}

const totalMs = ({ stagesMs }: StageBar): number => LAYER_STAGES.reduce((sum, stage) => sum + stagesMs[stage], 0);

const rect = (x: number, y: number, width: number, height: number, colour: string, tip: string): string =>
  `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}" ` +
  `fill="${colour}"><title>${escapeXml(tip)}</title></rect>`;

const text = (x: number, y: number, content: string, attributes = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escapeXml(content)}</text>`;

const escapeXml = (content: string): string =>
  content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
