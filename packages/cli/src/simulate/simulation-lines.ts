import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { type StepPrediction } from '@expertmesh/shared/simulate/predict-step';
import { type Simulation } from '@expertmesh/shared/simulate/simulate-cluster';
import { milliseconds, percent, rate, ratio } from '../terminal/figures.js';
import { type Style } from '../terminal/style.js';
import { tableLines } from '../terminal/text-table.js';

export function simulationLines(
  title: string,
  { step, balancedness, oneBox }: Simulation,
  numLayers: number,
  style: Style,
): string[] {
  return [
    style.bold(title),
    `${rate(step.tokensPerSecond)} tok/s, ${milliseconds(1000 * step.stepSeconds)} a step`,
    `balancedness ${ratio(balancedness.mean)} mean, ${ratio(balancedness.worst)} worst layer`,
    `${step.workersPerToken.toFixed(2)} workers a token and layer, ` +
      `${formatBytes(step.wireBytesPerToken)} a token on the wire`,
    '',
    ...partsTable(step, numLayers),
    '',
    verdict(step, oneBox, style),
  ];
}

function partsTable({ layer, headSeconds, stepSeconds }: StepPrediction, numLayers: number): string[] {
  const parts: readonly (readonly [string, number])[] = [
    ['dense part', numLayers * layer.dense],
    ['experts of the busiest worker', numLayers * layer.compute],
    ['dispatch and combine', numLayers * layer.overhead],
    ['network', numLayers * layer.network],
    ['head and sampling', headSeconds],
  ];
  const rows = parts.map(([name, seconds]) => [name, milliseconds(1000 * seconds), percent(seconds / stepSeconds)]);
  return tableLines([{ title: 'OF A STEP' }, { title: 'TIME', align: 'right' }, { title: '', align: 'right' }], rows);
}

function verdict(step: StepPrediction, oneBox: Simulation['oneBox'], style: Style): string {
  if (oneBox === undefined) return 'None of these boxes holds the model alone.';
  const alone = `${oneBox.boxId} alone, computing its experts itself, makes ${rate(oneBox.step.tokensPerSecond)} tok/s`;
  const gain = step.tokensPerSecond / oneBox.step.tokensPerSecond;
  if (gain <= 1) return style.warn(`One box is faster: ${alone}. Spread the model only for more memory.`);
  return `${alone}: the cluster is ${gain.toFixed(2)} times as fast.`;
}
