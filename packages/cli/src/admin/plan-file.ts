import { readFile, writeFile } from 'node:fs/promises';
import { planSchema } from '@expertmesh/shared/admin/plan-json';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type PlacementPlan, type PlacementView } from '@expertmesh/shared/gen/expertmesh/v1/admin';

/** A plan with what it will be, as `placement plan` found it. */
export type CompletePlan = PlacementPlan & { readonly placement: PlacementView };

/** @throws ExpertmeshError `internal` for an answer without a placement. */
export function requirePlacement(plan: PlacementPlan | undefined): CompletePlan {
  if (plan?.placement !== undefined) return { ...plan, placement: plan.placement };
  throw new ExpertmeshError('internal', 'the coordinator answered with a plan that has no placement');
}

export async function writePlanFile(path: string, plan: PlacementPlan): Promise<void> {
  try {
    await writeFile(path, `${JSON.stringify(plan)}\n`);
  } catch (cause) {
    throw new ExpertmeshError('failed_precondition', `cannot write the plan: ${messageOf(cause)}`, { cause });
  }
}

/** @throws ExpertmeshError `not_found` where there is no such file, `invalid_argument` for one that is no plan. */
export async function readPlanFile(path: string): Promise<CompletePlan> {
  const refuse = (reason: string): never => {
    throw new ExpertmeshError(
      'invalid_argument',
      `${path} is not a plan (${reason}): make one with "expertmesh placement plan --out ${path}"`,
    );
  };
  const parsed = planSchema.safeParse(parseJson(await readText(path), refuse));
  if (parsed.success) return requirePlacement(parsed.data);
  const [issue] = parsed.error.issues;
  return refuse(issue === undefined ? 'unknown form' : `${issue.path.join('.')}: ${issue.message}`);
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new ExpertmeshError('not_found', `cannot read the plan: ${messageOf(cause)}`, { cause });
  }
}

function parseJson(text: string, refuse: (reason: string) => never): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return refuse('it is not JSON');
  }
}

const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
