import { Command } from 'commander';
import { integer } from '@expertmesh/shared/config/option-value';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { type PlanCluster } from '@expertmesh/shared/placement/plan-cluster';
import { replayTrace, type Replay } from '@expertmesh/shared/routing-trace/replay-trace';
import { workerCosts } from '@expertmesh/shared/simulate/machine-costs';
import { USABLE_MEMORY } from '@expertmesh/shared/simulate/simulated-box';
import { type SimulatedModel } from '@expertmesh/shared/simulate/simulated-model';
import { jsonFlag } from '../admin/admin-command.js';
import { addModelFlags, modelOf, rowBytesOf, type ModelFlags } from '../simulate/model-flags.js';
import { openTrace, requireSameGeometry } from '../simulate/trace-rows.js';
import { milliseconds, ratio } from '../terminal/figures.js';
import { tableLines } from '../terminal/text-table.js';
import { checkedOption } from '../options/checked-option.js';

type ReplayFlags = ModelFlags & {
  readonly windowTokens: number;
  readonly every?: number;
  readonly json?: true;
};

const MAX_WINDOW_TOKENS = 10_000_000;
const MAX_EVERY = 1_000_000;

export function replayCommand(): Command {
  return addModelFlags(
    new Command('replay').description('Take recorded routes through a policy on a cluster that need not exist.'),
  )
    .argument('<file>', 'As "experts record" wrote it.')
    .addOption(
      checkedOption('--window-tokens', 'Tokens of a window.', integer('<n>', 1, MAX_WINDOW_TOKENS)).default(1000),
    )
    .addOption(
      checkedOption(
        '--every',
        'Plan anew after every so many windows. (default: once, after the first)',
        integer('<n>', 1, MAX_EVERY),
      ),
    )
    .option(...jsonFlag)
    .addHelpText(
      'after',
      `
A placement is only ever planned from windows before those it is used in.

  expertmesh experts replay routes.trace --model demo --bits 32 \\
      --boxes 8x8GB@30GB/s --replicas 8 --policy balanced`,
    )
    .action(replay);
}

async function replay(file: string, flags: ReplayFlags): Promise<void> {
  const model = await modelOf(flags);
  const trace = await openTrace(file);
  requireSameGeometry(file, trace, model);
  const result = await replayTrace(trace, {
    cluster: clusterOf(flags, model),
    policy: flags.policy,
    ...(flags.every === undefined ? {} : { rebalanceEveryWindows: flags.every }),
    windowTokens: flags.windowTokens,
    plan: { redundantExperts: flags.replicas, survive: flags.survive },
    wireDtype: flags.wireDtype,
  });
  if (trace.isTruncated) process.stderr.write(`${file} ends in the middle of a chunk: all before it was replayed\n`);
  const { placement: _placement, ...figures } = result;
  process.stdout.write(
    flags.json ? `${JSON.stringify(figures, undefined, 2)}\n` : `${replayLines(result).join('\n')}\n`,
  );
}

function clusterOf(flags: ReplayFlags, model: SimulatedModel): PlanCluster {
  const { boxes, network } = flags;
  return {
    workers: boxes.map((box) => ({
      workerId: box.boxId,
      memoryBudgetBytes: USABLE_MEMORY * box.memoryBytes,
      ...workerCosts(model, box),
      failureDomain: box.boxId,
      state: 'accepting',
    })),
    expertSizeBytes: model.expertMemoryBytes,
    secondsPerRow: (2 * rowBytesOf(flags, model)) / network.bytesPerSecond,
  };
}

/** More windows than these are for --json. */
const MAX_LINES = 40;

function replayLines(replayed: Replay): string[] {
  const { windows, numTokens, wireBytes } = replayed;
  const rows = windows
    .slice(0, MAX_LINES)
    .map((window, index) => [
      String(index),
      String(window.numTokens),
      String(window.placementVersion),
      ratio(window.balancedness.mean),
      ratio(window.balancedness.worst),
      milliseconds(1000 * window.stepSeconds),
      window.workersPerToken.toFixed(2),
      window.moves === undefined ? '' : formatBytes(window.moves.bytesToMove),
    ]);
  const numHidden = windows.length - rows.length;
  return [
    ...tableLines(
      [
        { title: 'WINDOW', align: 'right' },
        { title: 'TOKENS', align: 'right' },
        { title: 'PLACEMENT', align: 'right' },
        { title: 'BALANCE', align: 'right' },
        { title: 'WORST', align: 'right' },
        { title: 'STEP', align: 'right' },
        { title: 'WORKERS', align: 'right' },
        { title: 'MOVED', align: 'right' },
      ],
      rows,
    ),
    ...(numHidden > 0 ? [`and ${String(numHidden)} windows more: --json has them all`] : []),
    '',
    `${String(numTokens)} tokens: balancedness ${ratio(replayed.meanBalancedness)} mean, ` +
      `${ratio(replayed.worstBalancedness)} worst layer`,
    `experts and wire ${milliseconds(1000 * replayed.stepSeconds)} a step, ` +
      `${formatBytes(wireBytes / Math.max(1, numTokens))} a token on the wire, ` +
      `${formatBytes(replayed.bytesMoved)} moved`,
  ];
}
