import { PLACEMENT_POLICIES } from '../placement/plan-placement.js';
import { absent, constant, option } from './option.js';
import { byteSize, choice, decimal, durationMs, hoursOfDay, integer, path } from './option-value.js';

/** How a cluster's leader places experts, first and later; see docs/placement.md. */
export const PLACEMENT_OPTIONS = {
  stateDir: option({
    description:
      'Where the last placement, its history, the audit and the observed loads are kept, ' +
      'so that a restart goes on with them. A directory of its own for each coordinator of a machine.',
    value: path('<dir>'),
    default: absent('below --cache-dir, by store and, with --nats-url, cluster'),
  }),
  minWorkers: option({
    description: 'With --nats-url: how many workers the first placement waits for.',
    value: integer('<n>', 1, 4096),
    default: constant(1),
  }),
  placementPolicy: option({
    description:
      'How the first placement is made: contiguous and round-robin by number, ' +
      'eplb and balanced by the loads that were observed. With --workers, ' +
      'anything but contiguous waits for all of them.',
    value: choice(PLACEMENT_POLICIES),
    default: constant('contiguous'),
  }),
  redundantExperts: option({
    description: 'Replicas of each layer beyond the first of every expert, in the first placement.',
    value: integer('<n>', 0, 65_536),
    default: constant(0),
  }),
  survive: option({
    description: 'How many failure domains may be lost without an expert being lost, in the first placement.',
    value: integer('<k>', 0, 16),
    default: constant(0),
  }),
  rebalance: option({
    description:
      'With auto, the leader moves experts by itself where the load has become uneven, ' +
      'while requests run. Otherwise "expertmesh rebalance" does.',
    value: choice(['off', 'auto']),
    default: constant('off'),
  }),
  rebalanceThreshold: option({
    description: 'Balancedness of the worst layer, 0 to 1, below which a plan is made.',
    value: decimal('<0..1>', 0, 1),
    default: constant(0.8),
  }),
  rebalanceMinGain: option({
    description:
      'Least gain, of the predicted step time or of the mean balancedness, for which experts are moved; 0.05 is 5 %.',
    value: decimal('<0..1>', 0, 1),
    default: constant(0.05),
  }),
  rebalanceCooldownMs: option({
    description: 'Least time between the end of a change and the next automatic one, in milliseconds.',
    value: durationMs(0, 86_400_000),
    default: constant(60_000),
  }),
  rebalanceQuietHours: option({
    description: 'Hours of the local day in which nothing is moved automatically, such as 22:00-06:30.',
    value: hoursOfDay(),
    default: absent('none'),
  }),
  moveBytesPerSecond: option({
    description: 'Most bytes of experts that workers load in a second, together, when experts are moved.',
    value: byteSize(1_000_000),
    default: absent('unlimited'),
  }),
  repairAfterMs: option({
    description: 'How long a worker may be away before its experts are loaded elsewhere, in milliseconds.',
    value: durationMs(1_000, 86_400_000),
    default: constant(30_000),
  }),
  replacementWaitMs: option({
    description:
      'How long requests wait, in milliseconds, when the last replica of an expert is lost and other workers have ' +
      'room: the leader has it loaded there at once, without --repair-after-ms. Where there is no room they fail at ' +
      'once, and with 0 always.',
    value: durationMs(0, 60_000),
    default: absent('10000 with --nats-url, else 0: a fixed list of workers waits for its own'),
  }),
  balanceWindowTokens: option({
    description:
      'Token rows of a window over which the load is judged: alarms and automatic rebalancing decide after each one.',
    value: integer('<rows>', 100, 10_000_000),
    default: constant(1_000),
  }),
} as const;
