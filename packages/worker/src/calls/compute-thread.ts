import { serveThread } from '@expertmesh/shared/threads/serve-thread';
import { openCompute } from './compute-host.js';
import { type ComputeContract } from './compute-contract.js';

/*
 * Entry of the compute thread: the data-plane server and the experts. Computing blocks this thread, so control and
 * health are the main thread's; see compute-client.ts for the other end.
 */
serveThread<ComputeContract>(openCompute);
