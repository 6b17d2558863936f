import { type ProviderChoice } from '@expertmesh/compute/provider/choose-provider';

export interface UpSummary {
  readonly modelNames: readonly string[];
  readonly storeDir: string;
  readonly baseUrl: string;
  readonly workerPids: readonly number[];
  readonly threadsPerWorker: number;
  readonly compute: ProviderChoice;
}

/** What a person needs to know once the model is served. */
export function summaryText(summary: UpSummary): string {
  const { modelNames, storeDir, baseUrl, workerPids, threadsPerWorker, compute } = summary;
  const [modelName = ''] = modelNames;
  const request = JSON.stringify({ model: modelName, messages: [{ role: 'user', content: 'What is 47 + 85?' }] });
  return `
Expertmesh serves ${modelName} at ${baseUrl}/v1

  workers  ${describeWorkers(workerPids, threadsPerWorker)}
  compute  ${compute.provider}: ${compute.reason}
  store    ${storeDir}
  chat     npx expertmesh chat${baseUrl === 'http://127.0.0.1:8000' ? '' : ` --url ${baseUrl}`}
  ask      curl ${baseUrl}/v1/chat/completions -H 'content-type: application/json' -d '${request}'
  stop     Ctrl-C

`;
}

function describeWorkers(pids: readonly number[], threadsPerWorker: number): string {
  if (pids.length === 0) return 'none: the coordinator computes the experts';
  const processes = pids.length === 1 ? '1 process' : `${String(pids.length)} processes`;
  const threads = threadsPerWorker === 1 ? '1 thread' : `${String(threadsPerWorker)} threads`;
  return `${processes} (pid ${pids.join(', ')}), ${threads} each`;
}
