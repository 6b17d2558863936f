import { type PackageDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import { checksumField } from '@expertmesh/shared/rpc/dispatch-checksum';

type Serialise = (value: object) => Buffer;

const checksummed =
  (serialise: Serialise): Serialise =>
  (value) => {
    const message = serialise(value);
    return Buffer.concat([message, checksumField(message)]);
  };

/** A definition that proto-loader made, with messages of the data plane that end with their checksum as they must. */
export function withChecksums(definition: PackageDefinition): PackageDefinition {
  const methods = Object.entries(definition['expertmesh.v1.ExpertService'] as ServiceDefinition).map(
    ([name, method]) => [
      name,
      {
        ...method,
        requestSerialize: checksummed(method.requestSerialize),
        responseSerialize: checksummed(method.responseSerialize),
      },
    ],
  );
  return { ...definition, 'expertmesh.v1.ExpertService': Object.fromEntries(methods) as ServiceDefinition };
}
