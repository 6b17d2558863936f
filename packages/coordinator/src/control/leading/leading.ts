import { type CoordinatorConfig, replacementWaitMsOf } from '@expertmesh/shared/config/coordinator-config';
import { AuditRecord } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type LoadMonitor } from '../../balance/load-monitor.js';
import { Changes, type AuditEntry } from '../change/changes.js';
import { Drains } from '../change/drains.js';
import { moverWorld } from '../change/mover-world.js';
import { type ClusterCore } from '../cluster-core.js';
import { type FirstPlacementFacts } from '../decisions/first-placement.js';
import { type KnownCluster } from '../planning/known-cluster.js';
import { type ExpertSize } from '../planning/plan-inputs.js';
import { Planner, type PlannerOptions } from '../planning/planner.js';
import { AutoRebalancer } from './auto-rebalancer.js';
import { LeaderDuties } from './leader-duties.js';
import { type FirstPlacementSource } from './static-members.js';
import { type WorkerAdmission } from './worker-admission.js';

export interface LeadingOptions {
  readonly config: CoordinatorConfig;
  readonly storeId: string;
  readonly model: Pick<FirstPlacementFacts, 'layerIndices' | 'numExperts'>;
  readonly core: ClusterCore;
  readonly known: KnownCluster;
  readonly admission: WorkerAdmission;
  readonly first: FirstPlacementSource;
  readonly expertSize: ExpertSize;
  readonly monitor: LoadMonitor;
  /** Why there is no placement yet. */
  readonly onWaiting: (because: string) => void;
  /** Makes a plan, beside the thread that serves. */
  readonly plan: PlannerOptions['plan'];
  readonly logger: Logger;
  readonly clock: Clock;
  /** For history, audit, and quiet hours. */
  readonly wallMs: () => number;
}

/**
 * What a coordinator does in office. The parts are there whether it leads or not; ClusterCore tells the duties when an
 * office begins and ends.
 */
export class Leading {
  readonly planner: Planner;
  readonly changes: Changes;
  readonly drains: Drains;
  readonly duties: LeaderDuties;
  readonly onAudit: (entry: AuditEntry) => void;
  readonly #rebalancer: AutoRebalancer;

  constructor(options: LeadingOptions) {
    const { admission, clock } = options;
    this.onAudit = auditor(options);
    this.planner = createPlanner(options);
    this.changes = createChanges(options, this.onAudit);
    this.drains = new Drains({ admission, planner: this.planner, changes: this.changes, onAudit: this.onAudit, clock });
    this.duties = createDuties(options, this);
    this.#rebalancer = createRebalancer(options, this);
  }

  close(): void {
    this.#rebalancer.close();
    this.duties.end();
    this.planner.close();
  }
}

function createPlanner({ config, core, known, monitor, plan }: LeadingOptions): Planner {
  const { store } = core;
  return new Planner({
    facts: () => known.facts(),
    loads: () => monitor.loads('recent'),
    current: () => store.document(store.inForce?.version ?? 0),
    nextVersion: () => store.nextVersion,
    moveBytesPerSecond: config.moveBytesPerSecond,
    plan,
  });
}

function createChanges(options: LeadingOptions, onAudit: (entry: AuditEntry) => void): Changes {
  const { config, storeId, core, admission, expertSize, logger, clock, wallMs } = options;
  return new Changes({
    store: core.store,
    storeId,
    world: moverWorld(core, clock),
    cannotTake: (workerId) => admission.cannotTake(workerId),
    expertBytes: expertSize.packedBytes,
    moveBytesPerSecond: config.moveBytesPerSecond,
    onAudit,
    logger,
    clock,
    wallMs,
  });
}

type DutiesParts = Pick<Leading, 'planner' | 'changes' | 'drains' | 'onAudit'>;

function createDuties(options: LeadingOptions, { planner, changes, drains, onAudit }: DutiesParts): LeaderDuties {
  const { config, core, admission, model, first, onWaiting, logger, clock } = options;
  const { placementPolicy, redundantExperts, survive, repairAfterMs } = config;
  return new LeaderDuties({
    store: core.store,
    known: core.membership.known,
    admission,
    planner,
    changes,
    drains,
    whyUnsettled: () => core.whyUnsettled,
    model,
    first: { ...first, policy: placementPolicy, redundantExperts, survive },
    repairAfterMs,
    replacementWaitMs: replacementWaitMsOf(config),
    onWaiting,
    onAudit,
    logger,
    clock,
  });
}

type RebalancerParts = Pick<Leading, 'planner' | 'changes' | 'duties'>;

function createRebalancer(options: LeadingOptions, { planner, changes, duties }: RebalancerParts): AutoRebalancer {
  const { config, core, monitor, logger, clock, wallMs } = options;
  return new AutoRebalancer({
    policy: {
      mode: config.rebalance,
      threshold: config.rebalanceThreshold,
      minGain: config.rebalanceMinGain,
      cooldownMs: config.rebalanceCooldownMs,
      quietHours: config.rebalanceQuietHours,
    },
    minTokens: config.balanceWindowTokens,
    monitor,
    office: () => core.office,
    planner,
    changes,
    mayChange: () => duties.mayChange,
    logger,
    clock,
    now: () => new Date(wallMs()),
  });
}

/** Records what was done; a control plane that is away does not keep anybody from doing it. */
function auditor({ core, logger, wallMs }: LeadingOptions) {
  return (entry: AuditEntry): void => {
    logger.info({ audit: entry }, 'audit');
    core.store.addAudit(AuditRecord.create({ ...entry, timeMs: wallMs() })).catch((error: unknown) => {
      logger.warn({ err: error }, 'an audit record is on this machine alone: the control plane did not take it');
    });
  };
}
