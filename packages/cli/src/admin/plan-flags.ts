import { type Command } from 'commander';
import { z } from 'zod';
import { MAX_PLAN_SECONDS, MAX_REDUNDANT_EXPERTS, MAX_SURVIVE } from '@expertmesh/shared/admin/plan-json';
import { choice, decimal, integer, type OptionValue } from '@expertmesh/shared/config/option-value';
import { PLACEMENT_POLICIES, type PlacementPolicy } from '@expertmesh/shared/placement/plan-placement';
import { PlanRequest } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { checkedOption } from '../options/checked-option.js';

export interface PlanFlags {
  readonly policy: PlacementPolicy;
  readonly replicas?: number;
  readonly survive?: number;
  readonly workers?: readonly string[];
  readonly timeBudget: number;
}

const DEFAULT_PLAN_SECONDS = 2;

export function addPlanFlags(command: Command): Command {
  return command
    .addOption(
      checkedOption(
        '--policy',
        'How experts are placed; balanced has the least predicted step time.',
        choice(PLACEMENT_POLICIES),
      ).default('balanced'),
    )
    .addOption(
      checkedOption(
        '--replicas',
        'Redundant experts a layer: replicas beyond the first of each. (default: as many as now)',
        integer('<n>', 0, MAX_REDUNDANT_EXPERTS),
      ),
    )
    .addOption(
      checkedOption(
        '--survive',
        'How many failure domains may fail with every expert still there. (default: as now)',
        integer('<k>', 0, MAX_SURVIVE),
      ),
    )
    .addOption(
      checkedOption(
        '--workers',
        'Only these workers get experts. (default: all that are up and not cordoned)',
        workerIds,
      ),
    )
    .addOption(
      checkedOption(
        '--time-budget',
        'Seconds after which the best plan so far is taken.',
        decimal('<seconds>', 0.1, MAX_PLAN_SECONDS),
      ).default(DEFAULT_PLAN_SECONDS),
    );
}

const workerIds: OptionValue<readonly string[]> = {
  placeholder: '<id,...>',
  accepts: 'ids of workers, separated by commas',
  schema: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.string().trim().min(1))),
};

export function planRequestOf({ policy, replicas, survive, workers = [], timeBudget }: PlanFlags): PlanRequest {
  return {
    ...PlanRequest.create(),
    policy,
    redundantExperts: replicas,
    survive,
    workerIds: [...workers],
    timeBudgetSeconds: timeBudget,
  };
}

export function planMs({ timeBudget }: PlanFlags): number {
  return 1000 * timeBudget;
}
