import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type PlacementLayer, type PlacementView } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { percent, ratio, timeText, UNKNOWN } from '../terminal/figures.js';
import { type Style } from '../terminal/style.js';
import { tableLines } from '../terminal/text-table.js';
import { balanceText } from './balance-text.js';
import { holdersOf, layerLoads, replicaCounts, type LayerLoad } from './placement-loads.js';

/** Load over the mean of a layer at which a figure is as hot as it gets. */
const HOTTEST_TIMES_MEAN = 2;
/** Of a cell of the matrix of layers and workers. Ids differ at their ends, which is what is shown of longer ones. */
const CELL_WIDTH = 7;
const CELL_GAP = 2;
const LAYER_COLUMNS = 16;

/** The whole placement: what each worker has, and how the tokens of each layer are spread over the workers. */
export function placementLines(view: PlacementView, style: Style, width: number): string[] {
  const loads = layerLoads(view);
  return [
    style.bold(`placement ${String(view.version)}`) + originText(view),
    ...(view.balance === undefined ? [] : [balanceText(view.balance)]),
    '',
    ...workerTable(view, loads),
    '',
    ...layerTable(view, loads, style, width),
  ];
}

const originText = ({ policy, actor, reason, createdMs }: PlacementView): string =>
  `: ${policy}, by ${actor} at ${timeText(createdMs)}${reason === '' ? '' : `, ${reason}`}`;

function workerTable(view: PlacementView, loads: readonly LayerLoad[]): string[] {
  const tokens = view.workerIds.map((_, worker) =>
    loads.reduce((sum, { workerTokens }) => sum + (workerTokens[worker] ?? 0), 0),
  );
  const total = tokens.reduce((sum, count) => sum + count, 0);
  const counts = replicaCounts(view);
  const rows = view.workerIds.map((workerId, worker) => [
    workerId,
    String(counts[worker]),
    ((counts[worker] ?? 0) / Math.max(1, view.layers.length)).toFixed(1),
    total === 0 ? UNKNOWN : percent((tokens[worker] ?? 0) / total),
  ]);
  return tableLines(
    [
      { title: 'WORKER' },
      { title: 'REPLICAS', align: 'right' },
      { title: 'A LAYER', align: 'right' },
      { title: 'TOKENS', align: 'right' },
    ],
    rows,
  );
}

function layerTable(view: PlacementView, loads: readonly LayerLoad[], style: Style, width: number): string[] {
  if (loads.every(({ workerTokens }) => workerTokens.every((tokens) => tokens === 0)))
    return ['No tokens have been counted yet, so there are no loads to show.'];
  const hasRoom = LAYER_COLUMNS + (CELL_WIDTH + CELL_GAP) * view.workerIds.length <= width;
  const rows = loads.map((load) => [
    String(load.layerIndex),
    ratio(load.balancedness),
    ...(hasRoom
      ? load.workerTokens.map((_, worker) => shareText(load, worker, style))
      : [busiestText(view, load, style)]),
  ]);
  const shares = hasRoom
    ? view.workerIds.map((workerId) => ({ title: workerId.slice(-CELL_WIDTH), align: 'right' as const }))
    : [{ title: 'BUSIEST' }];
  return tableLines([{ title: 'LAYER', align: 'right' }, { title: 'BALANCE', align: 'right' }, ...shares], rows);
}

function shareText({ workerTokens }: LayerLoad, worker: number, style: Style): string {
  const total = workerTokens.reduce((sum, tokens) => sum + tokens, 0);
  const share = total === 0 ? 0 : (workerTokens[worker] ?? 0) / total;
  return style.heat((share * workerTokens.length) / HOTTEST_TIMES_MEAN, (100 * share).toFixed(1));
}

function busiestText(view: PlacementView, { workerTokens }: LayerLoad, style: Style): string {
  const most = Math.max(...workerTokens);
  const timesMean =
    (most * workerTokens.length) /
    Math.max(
      1,
      workerTokens.reduce((sum, tokens) => sum + tokens, 0),
    );
  const text = `${timesMean.toFixed(2)} times the mean: ${view.workerIds[workerTokens.indexOf(most)] ?? ''}`;
  return style.heat(timesMean / HOTTEST_TIMES_MEAN, text);
}

/** One layer: each expert with its load and its holders, hottest first. */
export function layerLines(view: PlacementView, layerIndex: number, style: Style): string[] {
  const layer = view.layers.find((candidate) => candidate.layerIndex === layerIndex);
  if (layer === undefined) throw noSuchLayer(view, layerIndex);
  const experts = Array.from({ length: view.numExperts }, (_, expertId) => expertId);
  const tokensOf = (expertId: number): number => layer.expertTokens[expertId] ?? 0;
  const mean = experts.reduce((sum, expertId) => sum + tokensOf(expertId), 0) / view.numExperts;
  experts.sort((first, second) => tokensOf(second) - tokensOf(first) || first - second);
  const rows = experts.map((expertId) => expertRow(view, layer, expertId, mean, style));
  return [
    style.bold(`placement ${String(view.version)}, layer ${String(layerIndex)}`),
    ...tableLines(
      [{ title: 'EXPERT', align: 'right' }, { title: 'TIMES MEAN', align: 'right' }, { title: 'WORKERS' }],
      rows,
    ),
  ];
}

function expertRow(view: PlacementView, layer: PlacementLayer, expertId: number, mean: number, style: Style): string[] {
  const timesMean = mean === 0 ? undefined : (layer.expertTokens[expertId] ?? 0) / mean;
  const load = timesMean === undefined ? UNKNOWN : style.heat(timesMean / HOTTEST_TIMES_MEAN / 2, timesMean.toFixed(2));
  const holders = holdersOf(layer, expertId).map((worker) => view.workerIds[worker] ?? UNKNOWN);
  return [String(expertId), load, holders.join(', ')];
}

function noSuchLayer({ layers }: PlacementView, layerIndex: number): ExpertmeshError {
  const indices = layers.map((layer) => layer.layerIndex);
  return new ExpertmeshError(
    'not_found',
    `layer ${String(layerIndex)} has no experts: those from ${String(indices[0])} to ${String(indices.at(-1))} have`,
  );
}
