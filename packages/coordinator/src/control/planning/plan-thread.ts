import { planPlacement } from '@expertmesh/shared/placement/plan-placement';
import { serveThread } from '@expertmesh/shared/threads/serve-thread';
import { type PlanContract } from './plan-in-thread.js';

/** Computes one plan and ends: planning takes seconds, and the main thread must answer heartbeats meanwhile. */
serveThread<PlanContract>(() => ({
  ready: undefined,
  requests: { plan: ({ policy, cluster, loads, options }) => planPlacement(policy, cluster, loads, options) },
  messages: {},
}));
