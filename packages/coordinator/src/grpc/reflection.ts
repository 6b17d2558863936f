import { loadFileDescriptorSetFromObject } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { DESCRIPTOR_SET } from '@expertmesh/shared/gen/descriptor-set';
import { type BoundService } from '@expertmesh/shared/rpc/server';

/** What the coordinator's gRPC port has. */
const SERVICES: readonly string[] = [
  'expertmesh.v1.AdminService',
  'expertmesh.v1.InferenceService',
  'expertmesh.v1.StoreService',
  'grpc.health.v1.Health',
];

/** Server reflection (v1 and v1alpha), so that tools such as grpcurl know the services without their schemas. */
export function reflectionServices(): readonly BoundService[] {
  const bound: BoundService[] = [];
  const schemas = loadFileDescriptorSetFromObject(DESCRIPTOR_SET);
  new ReflectionService(schemas, { services: [...SERVICES] }).addToServer({
    addService: (definition, handlers) => {
      bound.push({ definition, handlers });
    },
  });
  return bound;
}
