import '@expertmesh/shared/onnx/no-telemetry';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import {
  grpcHostOf,
  parseCoordinatorConfig,
  type CoordinatorConfig,
} from '@expertmesh/shared/config/coordinator-config';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { openExpertStore, type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { verifyFiles } from '@expertmesh/shared/expert-store/verification/verify-files';
import { InferenceServiceDefinition } from '@expertmesh/shared/gen/expertmesh/v1/inference';
import { type RecordRoutesRequest, type TraceChunk } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { runUntilShutdown, type Lifecycle } from '@expertmesh/shared/process/lifecycle';
import { createLogger, type Logger } from '@expertmesh/shared/process/logger';
import { reportListening } from '@expertmesh/shared/process/parent-link';
import { systemClock } from '@expertmesh/shared/rpc/clock';
import { createHealth, WHOLE_SERVER } from '@expertmesh/shared/rpc/health';
import { bindService, startServer } from '@expertmesh/shared/rpc/server';
import { inferenceService } from '@expertmesh/shared/rpc/services';
import { createStoreService } from '@expertmesh/shared/store-repair/store-service';
import { openTransportSecurity } from '@expertmesh/shared/transport-security/open-transport-security';
import { type TransportSecurity } from '@expertmesh/shared/transport-security/transport-security';
import { keyedEngine } from './access/keyed-engine.js';
import { openAccess } from './access/open-access.js';
import { AdminApi } from './control/admin/admin-api.js';
import { bindAdminService } from './grpc/admin-service.js';
import { startHttpServer, type HttpServerOptions } from './api/http-server.js';
import { openHttpCertificate } from './api/http/http-certificate.js';
import { type Readiness } from './api/operations-routes.js';
import { type EngineClient } from './engine/engine-client.js';
import { traceChunks, traceHeaderOf } from './balance/route-recording.js';
import { loadServedModel, type ServedModel } from './generation/served-model.js';
import { withKeys } from './grpc/guarded-handlers.js';
import { BLOCK_TOKENS, kvBlockBytes } from '@expertmesh/kernels/kv-layout';
import { chooseKvDtype } from '@expertmesh/shared/config/kv-dtype';
import { inferenceHandlers } from './grpc/inference-service.js';
import { reflectionServices } from './grpc/reflection.js';
import { coordinatorMetrics } from './metrics/coordinator-metrics.js';
import { ConstraintChecks } from './sampling/grammar/checks/constraint-checks.js';
import { LongTexts } from './text/long-texts/long-texts.js';
import { TemplateProcess } from './text/template-process/template-process.js';
import { KeyMetrics } from './metrics/key-metrics.js';
import { meteredEngine } from './metrics/metered-engine.js';
import { Cluster } from './serving/cluster.js';
import { connectionOpeners } from './serving/connection-openers.js';
import { ReadinessGate } from './serving/readiness-gate.js';

/**
 * The command `expertmesh coordinator`. Resolves after a clean shutdown, rejects when the coordinator had to give up.
 */
export async function main(argv: readonly string[]): Promise<void> {
  const config = parseCoordinatorConfig(argv, process.env);
  const logger = createLogger({ name: 'coordinator', level: config.logLevel });
  await runUntilShutdown({ logger, drainTimeoutMs: config.drainTimeoutMs }, (lifecycle) =>
    startCoordinator(config, logger, lifecycle),
  );
}

// The API listens before anything is loaded, so that liveness, and what keeps the model from being ready, can be asked
// from the start. It is registered after the cluster and so closed before it: running requests can still finish.
async function startCoordinator(config: CoordinatorConfig, logger: Logger, lifecycle: Lifecycle): Promise<void> {
  const security = openTransportSecurity(config, 'coordinator', config.natsUrl && config.cluster, logger);
  const { store, gate } = await openStore(config);
  const { signal, fail: onDeath } = lifecycle;
  const { openClient } = connectionOpeners(security);
  const cluster = await Cluster.open({ config, store, gate, logger, signal, security, openClient, onDeath });
  lifecycle.onShutdown('engine and workers', (deadline) => cluster.close(deadline));

  const metrics = metricsOf(gate, cluster);
  const access = await openAccess(config, logger, lifecycle);
  const model = await openModel(config, store, countedEngine(gate, metrics), lifecycle, logger);
  const api = new AdminApi({
    admin: cluster.admin,
    monitor: cluster.monitor,
    adminKey: config.adminKey,
    openClient,
    recordRoutes: (request, recording) => recordRoutes(cluster, store, request, recording),
  });
  const grpcPort = await openPorts(config, lifecycle, security, {
    store,
    model,
    engine: gate,
    host: config.host,
    port: config.port,
    logger,
    registry: metrics.registry,
    readiness: () => readinessOf(gate, cluster),
    clusterStatus: () => cluster.status(),
    admin: api,
    access,
    corsOrigins: config.corsOrigin,
    unknownFields: config.unknownFields,
    certificate: openHttpCertificate(config, logger),
    version: ownVersion(),
  });
  await cluster.start(grpcPort);
}

function metricsOf(gate: ReadinessGate, cluster: Cluster) {
  return coordinatorMetrics({
    engineStats: () => gate.stats(),
    dispatchStats: () => cluster.status().dispatch,
    workers: () => cluster.heardWorkers(),
    monitor: cluster.monitor,
    numMoves: () => cluster.numMoves,
  });
}

async function openStore(config: CoordinatorConfig): Promise<{ store: ExpertStore; gate: ReadinessGate }> {
  const store = await openExpertStore(config.store);
  await verifyFiles(store);
  const limits = { maxModelLen: chooseMaxModelLen(config, store), vocabSize: store.spec.vocabSize };
  return { store, gate: new ReadinessGate(limits, config.kvCacheBytes) };
}

function readinessOf({ notReadyBecause }: ReadinessGate, cluster: Cluster): Readiness {
  return {
    ready: notReadyBecause === undefined,
    reason: notReadyBecause ?? 'a canary token went through every layer and worker',
    details: { workers: cluster.status().workers, impaired: cluster.impairedWorkers() },
  };
}

/** The model by its names. */
function openModel(
  { servedModelName, trustRequestChatTemplate: trustsRequestTemplates }: CoordinatorConfig,
  { dir }: ExpertStore,
  engine: EngineClient,
  lifecycle: Lifecycle,
  logger: Logger,
): Promise<ServedModel> {
  const [id = '', ...aliases] = servedModelName ?? [basename(dir)];
  const longTexts = new LongTexts(dir);
  lifecycle.onShutdown('long texts', () => longTexts.close());
  const templates = new TemplateProcess();
  lifecycle.onShutdown('chat templates', () => {
    templates.close();
  });
  const constraints = new ConstraintChecks();
  lifecycle.onShutdown('checks of constraints', () => constraints.close());
  const beside = { encodeLong: longTexts.encode, templates, checkConstraint: constraints.check };
  return loadServedModel(dir, { id, aliases, engine, trustsRequestTemplates, logger }, beside);
}

/** An engine that knows whose sequences it computes, and counts them. */
function countedEngine(gate: ReadinessGate, metrics: ReturnType<typeof coordinatorMetrics>): EngineClient {
  const keyMetrics = new KeyMetrics(metrics.registry);
  return keyedEngine(meteredEngine(gate, metrics), systemClock, (key, kind, numTokens) => {
    keyMetrics.count(key, kind, numTokens);
  });
}

function ownVersion(): string {
  const packageJson = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(packageJson) as { readonly version: string }).version;
}

interface PortOptions extends HttpServerOptions {
  readonly admin: AdminApi;
  readonly engine: ReadinessGate;
  readonly store: ExpertStore;
}

/** Returns the gRPC port. */
async function openPorts(
  config: CoordinatorConfig,
  lifecycle: Lifecycle,
  security: TransportSecurity | undefined,
  options: PortOptions,
): Promise<number> {
  // Closed together: one after the other they would have twice the time to drain, and the process is ended before that.
  const ports: { close(deadline: AbortSignal): Promise<void> }[] = [];
  lifecycle.onShutdown('HTTP and gRPC ports', async (deadline) => {
    await Promise.all(ports.map((port) => port.close(deadline)));
  });
  const health = createHealth();
  options.engine.watch((isReady) => {
    for (const name of [WHOLE_SERVER, InferenceServiceDefinition.fullName]) health.set(name, isReady);
  });
  const grpc = await startServer({
    host: grpcHostOf(config),
    port: config.grpcPort,
    portFlag: '--grpc-port',
    security,
    services: [
      bindService(inferenceService, withKeys(inferenceHandlers(options.model), options.access, systemClock)),
      bindAdminService(options.admin, options.access),
      createStoreService(options.store),
      health.service,
      ...(config.reflection ? reflectionServices() : []),
    ],
  });
  ports.push({
    close: () => {
      health.close();
      options.admin.close();
      return grpc.close(config.drainTimeoutMs);
    },
  });
  const http = await startHttpServer(options);
  ports.push(http);
  reportListening({ type: 'listening', role: 'coordinator', httpPort: http.port, grpcPort: grpc.port });
  return grpc.port;
}

/** Routes of what this coordinator computes from now on, as a trace. */
function recordRoutes(
  cluster: Cluster,
  { spec, storeId }: ExpertStore,
  { maxTokens }: RecordRoutesRequest,
  signal: AbortSignal,
): AsyncIterable<TraceChunk> {
  if (cluster.engine === undefined)
    throw new ExpertmeshError('unavailable', 'the model is still loading: there are no routes to record yet');
  const recorded = cluster.engine.recordSteps(maxTokens === 0 ? Infinity : maxTokens, signal);
  return traceChunks(traceHeaderOf(spec, storeId), recorded);
}

/**
 * @throws ExpertmeshError `invalid_argument` when --max-model-len asks for more than the model or the KV cache allow.
 */
function chooseMaxModelLen(config: CoordinatorConfig, { spec, quantisation }: ExpertStore): number {
  const { maxModelLen, kvCacheBytes, kvDtype } = config;
  const blockBytes = kvBlockBytes(spec, chooseKvDtype(kvDtype, quantisation.bits));
  // One block is the canary's.
  const fits = Math.max(0, Math.floor(kvCacheBytes / blockBytes) - 1) * BLOCK_TOKENS;
  const possible = Math.min(spec.maxPositionEmbeddings, fits);
  if (possible < 2)
    throw new ExpertmeshError(
      'invalid_argument',
      `--kv-cache-bytes ${String(kvCacheBytes)} holds ${String(fits)} tokens of this model: give it more`,
    );
  if (maxModelLen !== undefined && maxModelLen > possible)
    throw new ExpertmeshError(
      'invalid_argument',
      `--max-model-len ${String(maxModelLen)} is too long: ` +
        `the model allows ${String(spec.maxPositionEmbeddings)} tokens, ` +
        `--kv-cache-bytes ${String(kvCacheBytes)} holds ${String(fits)}`,
    );
  return maxModelLen ?? possible;
}
