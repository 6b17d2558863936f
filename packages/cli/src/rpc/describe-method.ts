import {
  enumNames,
  fieldsOf,
  findType,
  requestTypeOf,
  responseTypeOf,
  type CatalogueMethod,
  type MessageField,
} from './method-catalogue.js';

type Descriptor = ReturnType<typeof requestTypeOf>;

/** Deeper messages are shown by their names. */
const MAX_DEPTH = 3;

/** GetCluster(GetClusterRequest) -> stream ClusterView */
export function signatureOf(method: CatalogueMethod): string {
  const { requestStream, responseStream } = method.definition;
  const side = (isStream: boolean, { name }: Descriptor): string => `${isStream ? 'stream ' : ''}${name}`;
  return (
    `${method.name}(${side(requestStream, requestTypeOf(method))}) -> ` + side(responseStream, responseTypeOf(method))
  );
}

/** Both messages with all fields, as JSON has them. */
export function describeMethod(method: CatalogueMethod): string[] {
  return [
    signatureOf(method),
    '',
    'request',
    ...messageLines(requestTypeOf(method), 1),
    'response',
    ...messageLines(responseTypeOf(method), 1),
  ];
}

function messageLines(message: Descriptor, depth: number): string[] {
  const indent = '  '.repeat(depth);
  const fields = fieldsOf(message);
  if (fields.length === 0) return [`${indent}{}`];
  return fields.flatMap((field) => {
    const type = field.typeName === '' ? undefined : findType(field.typeName, message);
    const inner =
      field.type === 'message' && type !== undefined && depth < MAX_DEPTH ? messageLines(type, depth + 1) : [];
    return [`${indent}${field.name}: ${typeText(field, type)}`, ...inner];
  });
}

function typeText({ type, typeName, isRepeated }: MessageField, named: Descriptor | undefined): string {
  const text =
    type === 'enum' && named !== undefined
      ? enumNames(named).join(' | ')
      : type === 'bytes'
        ? 'bytes, as base64'
        : typeName === ''
          ? type
          : (typeName.split('.').at(-1) ?? type);
  return isRepeated ? `list of ${text}` : text;
}

/** Names in a request that its message does not have, with their paths; protobuf would ignore them. */
export function unknownFields(request: unknown, message: Descriptor, path = ''): string[] {
  if (typeof request !== 'object' || request === null) return [];
  const fields = new Map(fieldsOf(message).map((field) => [field.name, field]));
  return Object.entries(request).flatMap(([name, value]) => {
    const field = fields.get(name);
    if (field === undefined) return [`${path}${name}`];
    const type = field.type === 'message' ? findType(field.typeName, message) : undefined;
    if (type === undefined) return [];
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    return values.flatMap((item) => unknownFields(item, type, `${path}${name}.`));
  });
}
