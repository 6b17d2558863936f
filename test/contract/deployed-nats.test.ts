import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LEADER_KEY, workerKey } from '@expertmesh/shared/cluster/cluster-keys';
import { NatsControlPlane } from '@expertmesh/shared/control-plane/nats-control-plane';
import { createLogger } from '@expertmesh/shared/process/logger';
import { type Role } from '@expertmesh/shared/transport-security/mesh-identity';
import { TransportSecurity } from '@expertmesh/shared/transport-security/transport-security';
import { type Manifest, renderChart } from '@expertmesh/test-kit/kubernetes-manifests';
import { MeshCertificates } from '@expertmesh/test-kit/mesh-certificates';
import { describeNats, NatsServerProcess } from '@expertmesh/test-kit/nats-server';
import { bytes } from '@expertmesh/test-kit/recording-watch';
import { type RenderedPod, renderedPods } from '@expertmesh/test-kit/rendered-pods';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { until } from '@expertmesh/test-kit/until';

const CERTIFICATES = 'tls.coordinatorSecret=c,tls.workerSecret=w,tls.natsSecret=n';
/** It has the name in it that the configuration is written for. */
const CLUSTER = 'my_default_lab';
const logger = createLogger({ name: 'test', level: 'silent' });

interface Mounted {
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

interface PodTemplate extends Manifest {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly Mounted[];
        readonly volumes?: readonly { readonly name: string; readonly secret?: object; readonly configMap?: object }[];
      };
    };
  };
}

interface ConfigMap extends Manifest {
  readonly data: Readonly<Record<string, string>>;
}

describe('a NATS that knows processes by files', () => {
  const setting = 'nats.enabled=false,nats.url=nats://nats:4222,nats.coordinatorCredsSecret=c,nats.workerCredsSecret=w';

  it.each([
    ['coordinator', 'Deployment', 'c'],
    ['worker', 'StatefulSet', 'w'],
  ])('is shown the file of the secret by a %s', async (role, kind, secretName) => {
    const manifests = await renderChart('--set', setting);
    const { argv } = podOf(renderedPods(manifests), role);
    const file = argv[argv.indexOf('--nats-creds') + 1] ?? '';
    expect(volumeAt(manifests, kind, dirname(file))).toMatchObject({
      secret: { secretName, items: [{ key: 'nats.creds', path: 'nats.creds' }] },
    });
    expect(file).toMatch(/\/nats\.creds$/);
  });

  it('is shown none where none is given', async () => {
    const pods = renderedPods(await renderChart());
    for (const { argv } of pods) expect(argv).not.toContain('--nats-creds');
  });
});

describeNats("the chart's own NATS with certificates", () => {
  const mesh = new MeshCertificates(CLUSTER);
  const cleanUps: (() => unknown)[] = [];
  let server: NatsServerProcess;

  beforeAll(async () => {
    const manifests = await renderChart('--set', `${CERTIFICATES},cluster=${CLUSTER}`);
    const { argv, env } = podOf(renderedPods(manifests), 'nats');
    const config = argv[argv.indexOf('--config') + 1] ?? '';
    expect(env).toMatchObject({ NATS_STORE_DIR: '/data', NATS_TLS_CA: '/etc/expertmesh/tls/ca.crt' });
    expect(volumeAt(manifests, 'StatefulSet', dirname(config))).toEqual({
      name: 'config',
      configMap: { name: 'expertmesh-nats' },
    });
    const { data } = manifests.find(({ kind }) => kind === 'ConfigMap') as ConfigMap;
    const configFile = join(tempDir(), 'nats.conf');
    writeFileSync(configFile, data['nats.conf'] ?? '');
    server = await NatsServerProcess.start({ tls: mesh.issue('nats'), configFile });
    cleanUps.push(() => server.stop());
  });
  afterAll(async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
  });

  const openAs = async (role: Role): Promise<NatsControlPlane> => {
    const security = new TransportSecurity(mesh.issue(role), undefined);
    const plane = new NatsControlPlane({
      servers: [server.url],
      cluster: CLUSTER,
      clientName: role,
      logger,
      security,
    });
    cleanUps.push(async () => {
      await plane.close();
      security.close();
    });
    await until(() => plane.state === 'connected');
    return plane;
  };

  it('gives each role of the cluster what it needs, and no more', async () => {
    const coordinator = await openAs('coordinator');
    const worker = await openAs('worker');
    await coordinator.leader.put(LEADER_KEY, bytes('c'));
    await worker.workers.put(workerKey('w'), bytes('1'));
    expect((await coordinator.workers.get(workerKey('w')))?.value).toEqual(bytes('1'));
    await expect(worker.leader.put(LEADER_KEY, bytes('w'))).rejects.toThrow();
    expect((await coordinator.leader.get(LEADER_KEY))?.value).toEqual(bytes('c'));
  });
});

function podOf(pods: readonly RenderedPod[], component: string): RenderedPod {
  return pods.find(({ owner }) => owner.startsWith(`expertmesh-${component}`)) ?? expect.fail(`no ${component}`);
}

/** What is mounted at this place in the first workload of the kind whose pod mounts anything there. */
function volumeAt(manifests: readonly Manifest[], kind: string, mountPath: string): unknown {
  const specs = (manifests.filter((manifest) => manifest.kind === kind) as PodTemplate[]).map(
    ({ spec }) => spec.template.spec,
  );
  for (const { containers, volumes = [] } of specs) {
    const mount = containers[0]?.volumeMounts.find((candidate) => candidate.mountPath === mountPath);
    if (mount !== undefined) return volumes.find(({ name }) => name === mount.name);
  }
  return undefined;
}
