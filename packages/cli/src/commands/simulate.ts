import { Command } from 'commander';
import { integer } from '@expertmesh/shared/config/option-value';
import { uniformRoutes } from '@expertmesh/shared/simulate/route-source';
import { simulateCluster, type SimulationOptions } from '@expertmesh/shared/simulate/simulate-cluster';
import { type SimulatedModel } from '@expertmesh/shared/simulate/simulated-model';
import { interruptible, jsonFlag } from '../admin/admin-command.js';
import { measuredScale } from '../simulate/measured-scale.js';
import { addModelFlags, modelOf, rowBytesOf, type ModelFlags } from '../simulate/model-flags.js';
import { simulationLines } from '../simulate/simulation-lines.js';
import { tracedRoutes } from '../simulate/trace-rows.js';
import { counted } from '../terminal/figures.js';
import { styleFor } from '../terminal/style.js';
import { parseUrl } from './parse-url.js';
import { checkedOption } from '../options/checked-option.js';

type SimulateFlags = ModelFlags & {
  readonly batch: number;
  readonly trace?: string;
  readonly sameBox?: number;
  readonly calibrate?: string;
  readonly json?: true;
};

const MAX_BATCH = 4096;
const MAX_SAME_BOX = 128;

export function simulateCommand(): Command {
  return addModelFlags(
    new Command('simulate').description('Predict how fast a cluster that does not exist would decode.'),
  )
    .addOption(checkedOption('--batch', 'Sequences that decode together.', integer('<n>', 1, MAX_BATCH)).default(1))
    .option('--trace <file>', 'Routes as "experts record" recorded them. (default: uniform routing)')
    .addOption(
      checkedOption(
        '--same-box',
        'So many workers on the first box, sharing its cores, and no network.',
        integer('<n>', 1, MAX_SAME_BOX),
      ),
    )
    .option(
      '--calibrate <url>',
      'Have a running cluster (its HTTP address) decode for some seconds and use what that took. ' +
        'It must serve --model on one box like the first.',
      parseUrl,
    )
    .option(...jsonFlag)
    .addHelpText('after', EXAMPLES)
    .action((flags: SimulateFlags) => interruptible((interrupt) => simulate(flags, interrupt.signal)));
}

const EXAMPLES = `
The first box has the coordinator, too. A step is predicted as
  layers x (dense + busiest worker + dispatch + round trip + bytes / rate) + head
without drafts and micro-batches. Uncalibrated figures are rough.

  expertmesh simulate --model qwen3-235b-a22b --boxes 4x64GB@40GB/s --batch 16
  expertmesh simulate --boxes 2x32GB@30GB/s,1x64GB@80GB/s --network 1Gbit,0.3ms
  expertmesh simulate --boxes 24GB@31GB/s/2c --same-box 4 \\
      --calibrate http://127.0.0.1:8000`;

async function simulate(flags: SimulateFlags, signal: AbortSignal): Promise<void> {
  const model = await modelOf(flags);
  const { batch: batchSize } = flags;
  const options: SimulationOptions = {
    model,
    boxes: flags.boxes,
    network: flags.network,
    sameBoxWorkers: flags.sameBox,
    routes:
      flags.trace === undefined ? uniformRoutes(model, batchSize) : await tracedRoutes(flags.trace, model, batchSize),
    batchSize,
    rowBytes: rowBytesOf(flags, model),
    policy: flags.policy,
    redundantExperts: flags.replicas,
    survive: flags.survive,
  };
  const scale = flags.calibrate === undefined ? undefined : await measuredScale(flags.calibrate, options, signal);
  const simulation = simulateCluster(scale === undefined ? options : { ...options, scale });
  const { placement: _placement, ...figures } = simulation;
  process.stdout.write(
    flags.json
      ? `${JSON.stringify({ batchSize, ...figures, scale }, undefined, 2)}\n`
      : `${simulationLines(titleOf(flags), simulation, numLayers(model), styleFor(process.stdout)).join('\n')}\n`,
  );
}

const numLayers = (model: SimulatedModel): number => model.layerIndices.length;

function titleOf({ model, boxes, sameBox, batch, policy, trace, calibrate: calibratedBy }: SimulateFlags): string {
  const where =
    sameBox === undefined
      ? boxes.length === 1
        ? '1 box'
        : `${String(boxes.length)} boxes`
      : `${counted(sameBox, 'worker')} on one box`;
  const how = [
    counted(batch, 'sequence'),
    policy,
    trace === undefined ? 'uniform routing' : `routes of ${trace}`,
    calibratedBy === undefined ? 'rough' : 'calibrated',
  ];
  return `${model} on ${where} (${how.join(', ')})`;
}
