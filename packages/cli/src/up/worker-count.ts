import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/** @throws ExpertmeshError `invalid_argument` for more workers than experts: asked before any process is started. */
export function requireWorkForAll(numWorkers: number, numExperts: number): void {
  if (numWorkers <= numExperts) return;
  throw new ExpertmeshError(
    'invalid_argument',
    `--workers ${String(numWorkers)} are more than the model has experts: take at most ${String(numExperts)}`,
  );
}
