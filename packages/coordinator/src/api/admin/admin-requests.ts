import { z } from 'zod';
import { planRequestSchema, planSchema as planDocumentSchema } from '@expertmesh/shared/admin/plan-json';
import {
  type ApplyRequest,
  type GetExpertStatsRequest,
  type GetPlacementRequest,
  type RebalanceRequest,
  type RollbackRequest,
} from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { MAX_ACTOR_CHARACTERS } from '../../control/admin/admin-request.js';

/** Bodies and queries of the JSON twin; fields are those of the messages, in camel case. */

const MAX_LISTED = 1000;

const actor = z.string().max(MAX_ACTOR_CHARACTERS).default('');
const version = z.coerce.number().int().nonnegative();

export const workerCommandSchema = z.strictObject({ actor });
export const drainSchema = z.strictObject({ actor, untilRestart: z.boolean().default(false) });

export const placementQuery: z.ZodType<GetPlacementRequest> = z.strictObject({ version: version.default(0) });

export const limitQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(MAX_LISTED).default(0) });

export const statsQuery: z.ZodType<GetExpertStatsRequest> = z.strictObject({
  window: z.string().default(''),
  withCoactivations: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true'),
});

export const planSchema = planRequestSchema;

export const applySchema: z.ZodType<ApplyRequest> = z.strictObject({ plan: planDocumentSchema, actor });

export const rollbackSchema: z.ZodType<RollbackRequest> = z.strictObject({
  toVersion: version,
  expectedVersion: version,
  actor,
});

export const rebalanceSchema: z.ZodType<RebalanceRequest> = z
  .strictObject({ plan: planRequestSchema.optional(), dryRun: z.boolean().default(false), actor })
  .transform((request) => ({ ...request, plan: request.plan }));
