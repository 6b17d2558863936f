import { AdminServiceDefinition } from '../gen/expertmesh/v1/admin.js';
import { ExpertServiceDefinition } from '../gen/expertmesh/v1/expert.js';
import { InferenceServiceDefinition } from '../gen/expertmesh/v1/inference.js';
import { StoreServiceDefinition } from '../gen/expertmesh/v1/store.js';
import { WorkerServiceDefinition } from '../gen/expertmesh/v1/worker.js';
import { HealthDefinition } from '../gen/grpc/health/v1/health.js';
import {
  decodeDispatchAnswer,
  decodeDispatchCall,
  encodeDispatchAnswer,
  encodeDispatchCall,
} from './dispatch-codec.js';
import { toServiceDefinition } from './service-definition.js';

/** The data plane; its messages are DispatchCall and DispatchAnswer, with tensors as views. */
export const expertService = toServiceDefinition(ExpertServiceDefinition, {
  dispatch: {
    encodeRequest: encodeDispatchCall,
    decodeRequest: decodeDispatchCall,
    encodeResponse: encodeDispatchAnswer,
    decodeResponse: decodeDispatchAnswer,
  },
});

export const adminService = toServiceDefinition(AdminServiceDefinition);
export const workerService = toServiceDefinition(WorkerServiceDefinition);
export const storeService = toServiceDefinition(StoreServiceDefinition);
export const inferenceService = toServiceDefinition(InferenceServiceDefinition);
export const healthService = toServiceDefinition(HealthDefinition);
