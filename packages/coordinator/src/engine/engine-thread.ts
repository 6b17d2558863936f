import { randomInt } from 'node:crypto';
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { routingShape } from '@expertmesh/shared/balance/routing-shape';
import { closeComputeBackend, createComputeBackend } from '@expertmesh/compute/compute-backend';
import { ExpertmeshError, toErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { openExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { RouteCounter } from '../balance/route-counter.js';
import { TraceRecorder } from '../balance/trace-recorder.js';
import { GrpcExpertDispatcher } from '../dispatch/grpc-expert-dispatcher.js';
import { runCanary } from './canary.js';
import { Engine } from './engine.js';
import { ForwardPass } from './forward.js';
import { LayerTimes } from './layer-times.js';
import { loadModel } from './load-model.js';
import { type EngineCommand, type EngineReport, type EngineThreadOptions } from './thread-protocol.js';

/**
 * The engine thread: scheduler, dense model and dispatch streams. It is a thread of its own because ONNX Runtime,
 * unlike the native kernels, blocks the thread that it computes on, and HTTP, health and heartbeats must not wait for
 * it.
 */
const STATS_INTERVAL_MS = 100;
const MAX_SEED = 2 ** 48 - 1;

async function main(port: MessagePort, options: EngineThreadOptions): Promise<void> {
  const report = (message: EngineReport, transfer: readonly ArrayBuffer[] = []): void => {
    port.postMessage(message, transfer);
  };
  const store = await openExpertStore(options.storeDir);
  const backend = createComputeBackend(options.provider, store.quantisation, options.numThreads);
  const { dense, local } = await loadModel(store, backend, options.localShards, options.verify, (loaded, total) => {
    report({ type: 'loading', loaded, total });
  });
  const shape = routingShape(store.spec);
  const routes = new RouteCounter({
    shape,
    report: (counted) => {
      report({ type: 'routes', report: counted }, [counted.counts]);
    },
  });
  const recorder = new TraceRecorder(shape);
  const dispatcher = new GrpcExpertDispatcher({
    hiddenSize: store.spec.hiddenSize,
    wireDtype: options.wireDtype,
    callTimeoutMs: options.dispatchTimeoutMs,
    local,
    onConnection: (workerId, lostBecause) => {
      report({ type: 'connection', workerId, lostBecause });
    },
  });
  const times = new LayerTimes();
  const forward = new ForwardPass({
    spec: store.spec,
    dense,
    experts: {
      allExperts: () => dispatcher.allExperts(),
      dispatch: (call) =>
        dispatcher.dispatch(call, (workerIds, parts) => {
          routes.observeParts(call.layerIndex, workerIds, parts);
        }),
    },
    microBatches: options.microBatches,
    times,
    observe: (layerIndex, routed, chunks) => {
      routes.observe(layerIndex, routed);
      recorder.observe(layerIndex, routed, chunks);
    },
  });
  // Nobody asked for a canary's token, so it is neither timed nor counted.
  const canaryForward = new ForwardPass({ spec: store.spec, dense, experts: dispatcher });
  const engine = new Engine({
    ...options,
    spec: store.spec,
    createCache: (maxTokens) => dense.createCache(maxTokens),
    forward,
    emit: (events) => {
      report({ type: 'events', events });
    },
    randomSeed: () => randomInt(MAX_SEED),
  });
  const reportStats = (): void => {
    report({ type: 'stats', engine: { ...engine.stats(), layerTimes: times.read() }, dispatch: dispatcher.stats() });
    routes.reportIfDue();
    recorder.flushIfDue();
  };
  const statsTimer = setInterval(reportStats, STATS_INTERVAL_MS);

  const close = async (): Promise<void> => {
    clearInterval(statsTimer);
    await engine.close();
    await dispatcher.close();
    await local?.close();
    await dense.close();
    await closeComputeBackend(backend);
    reportStats();
    routes.report();
    port.close();
  };

  const answer = async (id: number, done: Promise<unknown>): Promise<void> => {
    try {
      const result = await done;
      report({ type: 'answer', id, ...(result instanceof Float32Array && { row: result }) });
    } catch (error) {
      report({ type: 'answer', id, error: toErrorData(error) });
    }
  };
  const canary = (): Promise<void> => runCanary(store.spec, dense, canaryForward, dispatcher);

  const obey = async (command: EngineCommand): Promise<void> => {
    switch (command.type) {
      case 'submit':
        engine.submit(command.id, command.request);
        return;
      case 'cancel':
        engine.cancel(command.id);
        return;
      case 'placement':
        await answer(command.id, dispatcher.setPlacement(command.placement));
        return;
      case 'worker-costs':
        dispatcher.setWorkerCosts(command.costs);
        return;
      case 'worker-up':
        dispatcher.setWorkerUp(command.workerId, command.dataAddress);
        return;
      case 'worker-down':
        dispatcher.setWorkerDown(command.workerId, command.reason);
        return;
      case 'worker-forgotten':
        dispatcher.forgetWorker(command.workerId);
        return;
      case 'canary':
        await answer(command.id, engine.betweenSteps(canary));
        return;
      case 'probe':
        await answer(command.id, dispatcher.probeReplica(command.workerId, command.layerIndex, command.expertId));
        return;
      case 'counts-back':
        routes.takeBack(command.counts);
        return;
      case 'record':
        recorder.start(command.id, command.maxRows, {
          steps: (steps) => {
            report({ type: 'recorded', id: command.id, steps }, [steps.content.buffer]);
          },
          end: (error) => {
            report({ type: 'record-end', id: command.id, ...(error && { error: toErrorData(error) }) });
          },
        });
        return;
      case 'recorded-read':
        recorder.acknowledge(command.id, command.numBytes);
        return;
      case 'record-stop':
        recorder.stop(command.id);
        return;
      case 'close':
        await close();
    }
  };
  // A command that throws is a bug; it must end the process, not vanish in a promise.
  port.on('message', (command: EngineCommand) => {
    obey(command).catch((error: unknown) => {
      setImmediate(() => {
        throw ExpertmeshError.from(error);
      });
    });
  });
  reportStats();
  report({ type: 'loaded' });
}

if (parentPort === null) throw new ExpertmeshError('internal', 'engine-thread.js must run as a worker thread');
const port = parentPort;
main(port, workerData as EngineThreadOptions).catch((error: unknown) => {
  port.postMessage({ type: 'load-failed', error: toErrorData(error) } satisfies EngineReport);
  port.close();
});
