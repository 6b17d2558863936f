export interface UpSummary {
  readonly modelName: string;
  readonly storeDir: string;
  readonly baseUrl: string;
  readonly workerPids: readonly number[];
  readonly threadsPerWorker: number;
}

/** What a person needs to know once the model is served. */
export function summaryText({ modelName, storeDir, baseUrl, workerPids, threadsPerWorker }: UpSummary): string {
  const workers = workerPids.length === 1 ? '1 process' : `${String(workerPids.length)} processes`;
  const threads = threadsPerWorker === 1 ? '1 thread' : `${String(threadsPerWorker)} threads`;
  const request = JSON.stringify({ model: modelName, messages: [{ role: 'user', content: 'What is 47 + 85?' }] });
  return `
Expertmesh serves ${modelName} at ${baseUrl}/v1

  workers  ${workers} (pid ${workerPids.join(', ')}), ${threads} each
  store    ${storeDir}
  chat     npx expertmesh chat${baseUrl === 'http://127.0.0.1:8000' ? '' : ` --url ${baseUrl}`}
  ask      curl ${baseUrl}/v1/chat/completions -H 'content-type: application/json' -d '${request}'
  stop     Ctrl-C

`;
}
