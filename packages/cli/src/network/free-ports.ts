import { formatNetworkAddress } from '@expertmesh/shared/config/network-address';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { portState } from './port-state.js';

/** Where a coordinator is to listen. */
export interface WantedPorts {
  readonly host: string;
  readonly port: number;
  readonly grpcPort: number;
}

/** @throws ExpertmeshError `failed_precondition` naming every port that cannot be had, and its flag. */
export async function requireFreePorts({ host, port, grpcPort }: WantedPorts): Promise<void> {
  const taken: { readonly address: string; readonly flag: string }[] = [];
  for (const [flag, wanted] of [['--port', port] as const, ['--grpc-port', grpcPort] as const]) {
    const state = await portState(host, wanted);
    const address = formatNetworkAddress({ host, port: wanted });
    if (state.kind === 'unusable') {
      const remedy = `choose another address with --host and ${flag}`;
      throw new ExpertmeshError('failed_precondition', `cannot listen on ${address} (${state.reason}): ${remedy}`);
    }
    if (state.kind === 'taken') taken.push({ address, flag });
  }
  if (taken.length === 0) return;
  const addresses = taken.map(({ address }) => address).join(' and ');
  const flags = taken.map(({ flag }) => flag).join(' and ');
  throw new ExpertmeshError(
    'failed_precondition',
    taken.length === 1
      ? `${addresses} is taken by another process: stop it, or choose another port with ${flags}`
      : `${addresses} are taken by another process: stop it, or choose other ports with ${flags}`,
  );
}
