import { builtInProviders } from '@expertmesh/shared/onnx/session';
import { toleratedError } from './compare.js';
import { probeDense } from './dense-probe.js';
import { probeExperts, type GraphProbe } from './expert-probe.js';
import { type ProbeAnswer, type ProbeTask } from './provider-probe.js';

/*
 * The process that provider-probe.ts forks for each provider.
 */
process.once('message', (task: ProbeTask) => {
  void answer(task).then((message) => process.send?.(message));
});
// Nobody waits for the answer any more.
process.once('disconnect', () => process.exit());

async function answer(task: ProbeTask): Promise<ProbeAnswer> {
  try {
    return task.type === 'list' ? { type: 'listed', providers: builtInProviders() } : await probe(task);
  } catch (error) {
    return { type: 'failed', reason: shorten(error instanceof Error ? error.message : String(error)) };
  }
}

async function probe(task: Extract<ProbeTask, { type: 'probe' }>): Promise<ProbeAnswer> {
  const { model, provider, numThreads, withDense } = task;
  const experts = await probeExperts(model, provider, numThreads);
  const dense = withDense && provider !== 'native' ? await probeDense(model, provider, numThreads) : undefined;
  const tolerated = toleratedError(model.quantisation);
  const wrong = [experts, dense].find((graph): graph is GraphProbe => graph !== undefined && graph.error > tolerated);
  if (wrong !== undefined)
    return {
      type: 'failed',
      reason:
        `its results differ from the CPU's by ${wrong.error.toPrecision(2)} of the largest value, ` +
        `tolerated is ${String(tolerated)}`,
    };
  return { type: 'works', experts, ...(dense === undefined ? {} : { dense }) };
}

/** ONNX Runtime's messages start with the place in its source and the failed condition. */
function shorten(reason: string): string {
  const sentence =
    reason
      .trim()
      .split(/ was false\. |: (?=[A-Z][^:]*$)/)
      .at(-1) ?? reason;
  return sentence.length > 160 ? `${sentence.slice(0, 157)}...` : sentence;
}
