import { z } from 'zod';
import { type PlacementPlan, type PlanRequest } from '../gen/expertmesh/v1/admin.js';
import { PLACEMENT_POLICIES } from '../placement/plan-placement.js';

/**
 * A plan as JSON, in a file or in the body of a request: all fields of the message, of which those without a meaning
 * for applying it may be left out.
 */

/** Nobody waits longer for a plan. */
export const MAX_PLAN_SECONDS = 600;
export const MAX_REDUNDANT_EXPERTS = 65_536;
export const MAX_SURVIVE = 1024;

const count = z.number().int().nonnegative();

const balanceSchema = z.object({
  meanBalancedness: z.number(),
  worstBalancedness: z.number(),
  worstLayerIndex: count,
  meanWeightedBalancedness: z.number(),
  worstWeightedBalancedness: z.number(),
  stepSeconds: z.number(),
  workersPerToken: z.number(),
  gini: z.number(),
});

const layerSchema = z.object({
  layerIndex: count,
  offsets: z.array(count),
  workerIndices: z.array(count),
  expertTokens: z.array(z.number()).default([]),
});

const placementSchema = z.object({
  version: count,
  epoch: count.default(0),
  policy: z.string(),
  actor: z.string().default(''),
  reason: z.string().default(''),
  createdMs: count.default(0),
  workerIds: z.array(z.string()),
  layers: z.array(layerSchema),
  balance: balanceSchema.optional(),
  numExperts: count,
});

const moveSchema = z.object({
  workerId: z.string(),
  layerIndex: count,
  load: z.array(count),
  drop: z.array(count),
});

export const planSchema: z.ZodType<PlacementPlan> = z
  .object({
    baseVersion: count,
    placement: placementSchema,
    before: balanceSchema.optional(),
    after: balanceSchema.optional(),
    bytesToMove: count.default(0),
    numLoads: count.default(0),
    numDrops: count.default(0),
    moves: z.array(moveSchema).default([]),
    observedTokens: count.default(0),
    remarks: z.array(z.string()).default([]),
  })
  .transform((plan): PlacementPlan => ({
    ...plan,
    placement: { ...plan.placement, balance: plan.placement.balance },
    before: plan.before,
    after: plan.after,
  }));

export const planRequestSchema: z.ZodType<PlanRequest> = z
  .strictObject({
    policy: z.enum(PLACEMENT_POLICIES).or(z.literal('')).default(''),
    redundantExperts: count.max(MAX_REDUNDANT_EXPERTS).optional(),
    survive: count.max(MAX_SURVIVE).optional(),
    workerIds: z.array(z.string().min(1)).default([]),
    timeBudgetSeconds: z.number().nonnegative().max(MAX_PLAN_SECONDS).default(0),
  })
  .transform((request): PlanRequest => ({
    ...request,
    redundantExperts: request.redundantExperts,
    survive: request.survive,
  }));
