import { serveThread } from '@expertmesh/shared/threads/serve-thread';
import { type EngineContract } from './engine-contract.js';
import { EngineHost } from './engine-host.js';

/*
 * Entry of the engine thread: scheduler, dense model and dispatch streams. It is a thread of its own because ONNX
 * Runtime, unlike the native kernels, blocks the thread that it computes on, and HTTP, health and heartbeats must not
 * wait for it. See threaded-engine.ts for the other end.
 */
serveThread<EngineContract>((options, emit) => EngineHost.open(options, emit));
