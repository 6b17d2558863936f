import { type Manifest } from './kubernetes-manifests.js';

/** One pod of a rendered Deployment or StatefulSet, as far as it can be run as a process. */
export interface RenderedPod {
  readonly name: string;
  /** The Deployment or StatefulSet that it belongs to. */
  readonly owner: string;
  /** Command and arguments of its only container, variables put in as Kubernetes does. */
  readonly argv: readonly string[];
  /** What the container asks for, and what Kubernetes adds for the services of the namespace. */
  readonly env: Readonly<Record<string, string>>;
  readonly container: Container;
}

export interface Container {
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env?: readonly EnvironmentVariable[];
  readonly readinessProbe: {
    readonly httpGet?: { readonly path: string; readonly port: string };
    readonly grpc?: { readonly port: number; readonly service?: string };
  };
  readonly resources: { readonly limits: { readonly memory: string } };
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
}

interface EnvironmentVariable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef: { readonly fieldPath: string } };
}

interface PodSpec {
  readonly containers: readonly Container[];
  readonly enableServiceLinks?: boolean;
}

interface Workload extends Manifest {
  readonly spec: { readonly replicas: number; readonly template: { readonly spec: PodSpec } };
}

interface Service extends Manifest {
  readonly spec: { readonly clusterIP?: string; readonly ports: readonly { readonly port: number }[] };
}

/** The pods that Kubernetes would make, all on one node with the address 127.0.0.1. */
export function renderedPods(manifests: readonly Manifest[]): RenderedPod[] {
  const workloads = manifests.filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet') as Workload[];
  const serviceLinks = serviceLinksOf(manifests.filter(({ kind }) => kind === 'Service') as Service[]);
  return workloads.flatMap(({ metadata, spec }) =>
    Array.from({ length: spec.replicas }, (_, index) => {
      const { containers, enableServiceLinks = true } = spec.template.spec;
      const [container] = containers;
      if (container === undefined) throw new Error(`${metadata.name} has no container`);
      return podOf(metadata.name, index, container, enableServiceLinks ? serviceLinks : {});
    }),
  );
}

function podOf(
  owner: string,
  index: number,
  container: Container,
  serviceLinks: Readonly<Record<string, string>>,
): RenderedPod {
  const name = `${owner}-${String(index)}`;
  const fields: Readonly<Record<string, string>> = {
    'metadata.name': name,
    'metadata.namespace': 'default',
    'status.podIP': '127.0.0.1',
    'spec.nodeName': `node-${String(index)}`,
  };
  const asked = Object.fromEntries(
    (container.env ?? []).map(({ name: variable, value, valueFrom }) => {
      const found = valueFrom === undefined ? value : fields[valueFrom.fieldRef.fieldPath];
      if (found === undefined) throw new Error(`what ${variable} of ${owner} is to be is not known here`);
      return [variable, found];
    }),
  );
  const env = { ...serviceLinks, ...asked };
  const expand = (text: string): string =>
    text.replace(/\$\((\w+)\)/g, (reference, variable: string) => env[variable] ?? reference);
  return { name, owner, env, container, argv: [...container.command, ...container.args].map(expand) };
}

/**
 * Variables that Kubernetes gives to every container of the namespace, unless `enableServiceLinks` is false; headless
 * services have none.
 */
function serviceLinksOf(services: readonly Service[]): Record<string, string> {
  return Object.fromEntries(
    services
      .filter(({ spec }) => spec.clusterIP !== 'None')
      .flatMap(({ metadata, spec }) => {
        const prefix = metadata.name.toUpperCase().replaceAll('-', '_');
        const [port] = spec.ports.map((listed) => String(listed.port));
        return [
          [`${prefix}_SERVICE_HOST`, '10.96.0.1'],
          [`${prefix}_SERVICE_PORT`, port ?? ''],
          [`${prefix}_PORT`, `tcp://10.96.0.1:${port ?? ''}`],
        ];
      }),
  );
}
