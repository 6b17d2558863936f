import { MAX_PLAN_SECONDS } from '@expertmesh/shared/admin/plan-json';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type PlanRequest, type WorkerCommand } from '@expertmesh/shared/gen/expertmesh/v1/admin';

/**
 * What requests are refused for, with `invalid_argument`, whatever the transport. Who asks, and why, is kept with each
 * placement and in the audit.
 */
export const MAX_ACTOR_CHARACTERS = 200;
const MAX_REASON_CHARACTERS = 1_000;

/** The request, with the caller as the actor where it names none. */
export function withActor<Request extends { readonly actor: string }>(
  request: Request,
  caller: { readonly actor: string },
): Request {
  requireShort('actor', request.actor, MAX_ACTOR_CHARACTERS);
  return request.actor === '' ? { ...request, actor: caller.actor } : request;
}

export function requireShortReason({ reason }: { readonly reason: string }): void {
  requireShort('reason', reason, MAX_REASON_CHARACTERS);
}

export function requireWorkerId({ workerId }: WorkerCommand): void {
  if (workerId === '') throw invalid('worker_id is empty: name a worker as "expertmesh workers list" does');
}

export function requireTimeBudget({ timeBudgetSeconds }: PlanRequest): void {
  if (!(timeBudgetSeconds >= 0 && timeBudgetSeconds <= MAX_PLAN_SECONDS))
    throw invalid(
      `time_budget_seconds is ${String(timeBudgetSeconds)}: ` +
        `it must be 0 to ${String(MAX_PLAN_SECONDS)}, where 0 means 2`,
    );
}

export function invalid(message: string): ExpertmeshError {
  return new ExpertmeshError('invalid_argument', message);
}

function requireShort(name: string, text: string, maxCharacters: number): void {
  if (text.length > maxCharacters)
    throw invalid(`${name} has ${String(text.length)} characters: it must have at most ${String(maxCharacters)}`);
}
