import { status } from '@grpc/grpc-js';
import {
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '../gen/grpc/health/v1/health.js';
import { type CallOptions, type RpcClient } from './client.js';
import { bindService, type BoundService } from './server.js';
import { healthService } from './services.js';

/** The name of the whole process, as grpc.health.v1 has it. */
export const WHOLE_SERVER = '';

export interface Health {
  readonly service: BoundService;
  /** Says whether `serviceName` serves from now on, and tells those who watch it. */
  set(serviceName: string, isServing: boolean): void;
  /** Ends the streams of those who watch, so that a server can close. */
  close(): void;
}

/** `grpc.health.v1.Health`. Every process starts as not serving. */
export function createHealth(): Health {
  const statusOf = new Map<string, ServingStatus>([[WHOLE_SERVER, ServingStatus.NOT_SERVING]]);
  const watchers = new Set<Watcher>();
  const service = bindService(healthService, {
    check: ({ request }, callback) => {
      const current = statusOf.get(request.service);
      if (current === undefined) callback({ code: status.NOT_FOUND, details: `no service ${request.service}` });
      else callback(null, { status: current });
    },
    watch: (call) => {
      const serviceName = call.request.service;
      const watcher: Watcher = { serviceName, tell: (response) => call.write(response), end: () => call.end() };
      watchers.add(watcher);
      call.on('cancelled', () => watchers.delete(watcher));
      watcher.tell({ status: statusOf.get(serviceName) ?? ServingStatus.SERVICE_UNKNOWN });
    },
  });
  return {
    service,
    set(serviceName, isServing) {
      const next = isServing ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
      if (statusOf.get(serviceName) === next) return;
      statusOf.set(serviceName, next);
      for (const watcher of watchers) if (watcher.serviceName === serviceName) watcher.tell({ status: next });
    },
    close() {
      for (const watcher of watchers) watcher.end();
      watchers.clear();
    },
  };
}

interface Watcher {
  readonly serviceName: string;
  readonly tell: (response: HealthCheckResponse) => void;
  readonly end: () => void;
}

/**
 * Whether the peer says that it serves. Errors as for RpcClient.unary; `not_found` for a service that it does not know.
 */
export async function checkHealth(client: RpcClient, serviceName: string, options: CallOptions): Promise<boolean> {
  const response = await client.unary(healthService.check, { service: serviceName }, options);
  return response.status === ServingStatus.SERVING;
}
