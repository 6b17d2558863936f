import { afterAll, beforeAll } from 'vitest';
import { type ControlPlane } from '@expertmesh/shared/control-plane/control-plane';
import { openControlPlane } from '@expertmesh/shared/control-plane/open-control-plane';
import { createLogger } from '@expertmesh/shared/process/logger';
import { describeNats, NatsServerProcess } from '@expertmesh/test-kit/nats-server';
import { eventually } from '@expertmesh/test-kit/eventually';
import { describeControlPlane } from './control-plane-contract.js';

const logger = createLogger({ name: 'test', level: 'silent' });

describeControlPlane('the embedded control plane', () =>
  Promise.resolve(openControlPlane({ natsUrl: undefined, cluster: 'default' }, 'test', logger)),
);

describeNats('over nats-server', () => {
  let server: NatsServerProcess;
  let numClusters = 0;
  beforeAll(async () => {
    server = await NatsServerProcess.start();
  });
  afterAll(() => server.stop());

  describeControlPlane('the control plane of a cluster', async (): Promise<ControlPlane> => {
    numClusters += 1;
    const cluster = `cluster-${String(numClusters)}`;
    const controlPlane = openControlPlane({ natsUrl: server.url, cluster }, 'test', logger);
    await eventually(() => {
      if (controlPlane.state !== 'connected') throw new Error('still away');
    });
    return controlPlane;
  });
});
