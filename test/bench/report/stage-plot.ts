import { LAYER_STAGES, type LayerStage } from '../harness/bench-stats.js';
import { label, rectangle, svgDocument } from './svg.js';

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
    return rectangle(x, 36, 14, 14, COLOURS[stage], stage) + label(x + 20, 48, stage);
  });
  return svgDocument(WIDTH, height, heading, [
    ...legend,
    ...bars.map((bar, index) => drawBar(bar, TOP + index * (BAR_HEIGHT + BAR_GAP), pixelsPerMs)),
  ]);
}

function drawBar(bar: StageBar, y: number, pixelsPerMs: number): string {
  let x = LABEL_WIDTH;
  const pieces = LAYER_STAGES.map((stage) => {
    const width = bar.stagesMs[stage] * pixelsPerMs;
    const piece = rectangle(x, y, width, BAR_HEIGHT, COLOURS[stage], `${stage}: ${bar.stagesMs[stage].toFixed(3)} ms`);
    x += width;
    return piece;
  });
  const baseline = y + BAR_HEIGHT / 2 + 5;
  const total = label(x + 6, baseline, `${totalMs(bar).toFixed(2)} ms`);
  return [label(LABEL_WIDTH - 10, baseline, bar.title, 'text-anchor="end"'), ...pieces, total].join('\n');
}

const totalMs = ({ stagesMs }: StageBar): number => LAYER_STAGES.reduce((sum, stage) => sum + stagesMs[stage], 0);
