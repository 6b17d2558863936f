import { loadFileDescriptorSetFromObject, type MethodDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { DESCRIPTOR_SET } from '@expertmesh/shared/gen/descriptor-set';

/** A method as the schemas describe it; requests and responses are plain objects with camel-case fields. */
export interface CatalogueMethod {
  /** expertmesh.v1.AdminService/GetCluster */
  readonly name: string;
  readonly definition: MethodDefinition<object, object>;
}

export interface MessageField {
  readonly name: string;
  readonly type: string;
  /** Full name of the message or enum, for a field that is one. */
  readonly typeName: string;
  readonly isRepeated: boolean;
}

/** What proto-loader says of a message or an enum. */
interface Descriptor {
  readonly name: string;
  readonly field?: readonly {
    readonly name: string;
    readonly label: string;
    readonly type: string;
    readonly typeName: string;
  }[];
  readonly nestedType?: readonly Descriptor[];
  readonly enumType?: readonly Descriptor[];
  readonly value?: readonly { readonly name: string; readonly number: number }[];
}

const catalogue = loadFileDescriptorSetFromObject(DESCRIPTOR_SET, {
  longs: Number,
  enums: String,
  bytes: String,
  defaults: true,
  oneofs: true,
});

/** All methods of all services, by name. */
export const METHODS: readonly CatalogueMethod[] = Object.entries(catalogue)
  .flatMap(([service, definition]) =>
    isMessageOrEnum(definition)
      ? []
      : Object.entries(definition as ServiceDefinition).map(([method, { ...methodDefinition }]) => ({
          name: `${service}/${method}`,
          definition: methodDefinition,
        })),
  )
  .sort((a, b) => a.name.localeCompare(b.name));

function isMessageOrEnum(definition: object): definition is { readonly format: string; readonly type: Descriptor } {
  return 'format' in definition && typeof definition.format === 'string';
}

/**
 * Finds a method by its full name, or by as much of its end as is unique: GetCluster, AdminService/GetCluster.
 *
 * @throws ExpertmeshError `not_found` with what there is.
 */
export function findMethod(name: string): CatalogueMethod {
  const wanted = name.replace(/^\//, '').toLowerCase();
  const found = METHODS.filter((method) => {
    const full = method.name.toLowerCase();
    return full === wanted || full.endsWith(`/${wanted}`) || full.endsWith(`.${wanted}`);
  });
  const [method] = found;
  if (method !== undefined && found.length === 1) return method;
  const names = found.map((candidate) => candidate.name).join(', ');
  throw new ExpertmeshError(
    'not_found',
    found.length === 0
      ? `there is no method ${name}: "expertmesh rpc --list" shows all`
      : `${name} may be each of ${names}: write more of the name`,
  );
}

export function requestTypeOf({ definition }: CatalogueMethod): Descriptor {
  return typeOf(definition.requestType.type);
}
export function responseTypeOf({ definition }: CatalogueMethod): Descriptor {
  return typeOf(definition.responseType.type);
}

const typeOf = (type: unknown): Descriptor => type as Descriptor;

export function fieldsOf({ field = [] }: Descriptor): MessageField[] {
  return field.map(({ name, type, typeName, label }) => ({
    name,
    type: type.replace('TYPE_', '').toLowerCase(),
    typeName,
    isRepeated: label === 'LABEL_REPEATED',
  }));
}

/** A message or enum that a field names, as it is named within `scope` or anywhere. */
export function findType(typeName: string, scope: Descriptor): Descriptor | undefined {
  const short = typeName.split('.').at(-1);
  const nested = [...(scope.nestedType ?? []), ...(scope.enumType ?? [])].find(({ name }) => name === short);
  if (nested !== undefined) return nested;
  const named = Object.entries(catalogue).find(
    ([name, definition]) =>
      isMessageOrEnum(definition) && (name === typeName.replace(/^\./, '') || name.endsWith(`.${short ?? ''}`)),
  );
  return named !== undefined && isMessageOrEnum(named[1]) ? named[1].type : undefined;
}

export function enumNames({ value = [] }: Descriptor): string[] {
  return value.map(({ name }) => name);
}
