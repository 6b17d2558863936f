import { type Manifest } from './kubernetes-manifests.js';

/** One pod of a rendered Deployment or StatefulSet, as far as it can be run as a process. */
export interface RenderedPod {
  readonly name: string;
  /** The Deployment or StatefulSet that it belongs to. */
  readonly owner: string;
  /** Command and arguments of its only container, variables put in as Kubernetes does. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly container: Container;
}

export interface Container {
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env?: readonly { readonly name: string; readonly valueFrom: { fieldRef: { fieldPath: string } } }[];
  readonly readinessProbe: {
    readonly httpGet?: { readonly path: string; readonly port: string };
    readonly grpc?: { readonly port: number; readonly service?: string };
  };
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
}

interface Workload extends Manifest {
  readonly spec: {
    readonly replicas: number;
    readonly template: { readonly spec: { containers: readonly Container[] } };
  };
}

/** The pods that Kubernetes would make, all on one node with the address 127.0.0.1. */
export function renderedPods(manifests: readonly Manifest[]): RenderedPod[] {
  const workloads = manifests.filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet') as Workload[];
  return workloads.flatMap(({ metadata, spec }) =>
    Array.from({ length: spec.replicas }, (_, index) => {
      const [container] = spec.template.spec.containers;
      if (container === undefined) throw new Error(`${metadata.name} has no container`);
      return podOf(metadata.name, index, container);
    }),
  );
}

function podOf(owner: string, index: number, container: Container): RenderedPod {
  const name = `${owner}-${String(index)}`;
  const fields: Readonly<Record<string, string>> = {
    'metadata.name': name,
    'metadata.namespace': 'default',
    'status.podIP': '127.0.0.1',
    'spec.nodeName': `node-${String(index)}`,
  };
  const env = Object.fromEntries(
    (container.env ?? []).map(({ name: variable, valueFrom }) => {
      const value = fields[valueFrom.fieldRef.fieldPath];
      if (value === undefined) throw new Error(`${valueFrom.fieldRef.fieldPath} is not known here`);
      return [variable, value];
    }),
  );
  const expand = (text: string): string =>
    text.replace(/\$\((\w+)\)/g, (reference, variable: string) => env[variable] ?? reference);
  return { name, owner, env, container, argv: [...container.command, ...container.args].map(expand) };
}
