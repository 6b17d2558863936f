import { type Numerics } from '@expertmesh/shared/config/numerics';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { MAX_EXACT_TERMS } from '@expertmesh/shared/rpc/sum-units';

/** @throws ExpertmeshError `failed_precondition` for a model whose sums have more terms than can be exact. */
export function requireExactTerms(numerics: Numerics, { topK }: ModelSpec): void {
  if (numerics === 'fast' || topK <= MAX_EXACT_TERMS) return;
  throw new ExpertmeshError(
    'failed_precondition',
    `the model has ${String(topK)} experts a token, --numerics invariant sums at most ${String(MAX_EXACT_TERMS)}: ` +
      'start the coordinator with --numerics fast',
  );
}
