import { AccessControl } from '@expertmesh/coordinator/access/access-control';
import { keyedEngine } from '@expertmesh/coordinator/access/keyed-engine';
import { type HttpServerOptions, startHttpServer } from '@expertmesh/coordinator/api/http-server';
import { loadServedModel, type ServedModel } from '@expertmesh/coordinator/generation/served-model';
import { coordinatorMetrics } from '@expertmesh/coordinator/metrics/coordinator-metrics';
import { KeyMetrics } from '@expertmesh/coordinator/metrics/key-metrics';
import { meteredEngine } from '@expertmesh/coordinator/metrics/metered-engine';
import { BalanceView } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { createLogger } from '@expertmesh/shared/process/logger';
import { systemClock } from '@expertmesh/shared/rpc/clock';
import OpenAI from 'openai';
import { ScriptedEngine } from './scripted-engine.js';

export const MODEL_ID = 'qwen3-moe-demo';
export const EOS_TOKEN = '<|im_end|>';

interface ScriptedApiOptions extends Partial<
  Pick<HttpServerOptions, 'port' | 'admin' | 'access' | 'corsOrigins' | 'unknownFields'>
> {
  readonly aliases?: readonly string[];
}

/** The HTTP API on a free port, with the demo model's text side and a scripted engine behind it. */
export async function startScriptedApi({
  port = 0,
  admin,
  access = new AccessControl({ clock: systemClock }),
  aliases = [],
  corsOrigins = [],
  unknownFields = 'refuse',
}: ScriptedApiOptions = {}) {
  const engine = new ScriptedEngine();
  const metrics = coordinatorMetrics({
    engineStats: () => engine.stats(),
    dispatchStats: () => undefined,
    workers: () => [],
    monitor: { balance: () => BalanceView.create(), localTokens: new Map() },
    numMoves: () => 5,
  });
  const keyMetrics = new KeyMetrics(metrics.registry);
  const ofKeys = keyedEngine(meteredEngine(engine, metrics), systemClock, (key, kind, numTokens) => {
    keyMetrics.count(key, kind, numTokens);
  });
  const model: ServedModel = await loadServedModel(`models/${MODEL_ID}`, { id: MODEL_ID, aliases, engine: ofKeys });
  const readiness = { ready: true, reason: 'canary went through every worker', details: {} };
  const server = await startHttpServer({
    model,
    engine,
    host: '127.0.0.1',
    port,
    logger: createLogger({ name: 'test', level: 'silent' }),
    readiness: () => readiness,
    clusterStatus: () => ({ workers: ['w0'] }),
    registry: metrics.registry,
    version: '1.2.3',
    access,
    corsOrigins,
    unknownFields,
    ...(admin === undefined ? {} : { admin }),
  });
  const url = `http://127.0.0.1:${String(server.port)}`;
  return {
    engine,
    model,
    readiness,
    server,
    url,
    openai: new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 }),
    /** Scripts an answer whose text ends with the end-of-answer token. */
    answerWith: async (text: string): Promise<void> => {
      engine.script = { tokenIds: await model.tokenizer.encode(text + EOS_TOKEN), end: 'stop' };
    },
    post: (path: string, body: unknown): Promise<Response> =>
      fetch(url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    close: () => server.close(AbortSignal.timeout(1000)),
  };
}

export type ScriptedApi = Awaited<ReturnType<typeof startScriptedApi>>;
