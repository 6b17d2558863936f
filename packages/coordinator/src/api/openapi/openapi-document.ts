import { z } from 'zod';
import { ROUTE_DOCS, type RouteDoc } from './route-docs.js';

/** The API as an OpenAPI 3.1 document; bodies are what the parsers of requests are made from. */
export function openApiDocument(version: string): object {
  return {
    openapi: '3.1.0',
    info: { title: 'Expertmesh', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths: pathsOf(ROUTE_DOCS),
    components: {
      schemas: { Error: ERROR_SCHEMA },
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'An API key, where the server asks for one.' },
        keyHeader: { type: 'apiKey', in: 'header', name: 'x-api-key' },
        adminKey: { type: 'http', scheme: 'bearer', description: 'The admin key, where there is one.' },
      },
    },
  };
}

const ERROR_SCHEMA = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'param', 'code'],
      properties: {
        message: { type: 'string' },
        type: { enum: ['invalid_request_error', 'rate_limit_error', 'server_error'] },
        param: { type: ['string', 'null'] },
        code: { type: ['string', 'null'] },
      },
    },
  },
};

function pathsOf(docs: readonly RouteDoc[]): Record<string, Record<string, object>> {
  const paths: Record<string, Record<string, object>> = {};
  for (const doc of docs) (paths[templateOf(doc.path)] ??= {})[doc.method] = operationOf(doc);
  return paths;
}

/** `/a/:id` and `/a/*` as OpenAPI writes them. */
export function templateOf(path: string): string {
  return path.replaceAll(/:(\w+)/g, '{$1}').replace(/\*$/, '{path}');
}

function operationOf({ method, path, summary, access, body, query, answer }: RouteDoc): object {
  const parameters = [...pathParameters(path), ...(query === undefined ? [] : queryParameters(query))];
  return {
    operationId: `${method}${templateOf(path)
      .replaceAll(/[^A-Za-z0-9]+/g, '_')
      .replace(/_$/, '')}`,
    summary,
    security: SECURITY[access],
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && {
      requestBody: { required: true, content: { 'application/json': { schema: jsonSchemaOf(body) } } },
    }),
    responses: {
      200: { description: 'Done', content: CONTENT[answer] },
      default: {
        description: 'Refused, or failed',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

const SECURITY: Readonly<Record<RouteDoc['access'], readonly object[]>> = {
  open: [],
  key: [{ key: [] }, { keyHeader: [] }, {}],
  admin: [{ adminKey: [] }, {}],
};

const ANY_JSON = { 'application/json': { schema: {} } };
const EVENTS = { 'text/event-stream': { schema: { type: 'string' } } };

const CONTENT: Readonly<Record<RouteDoc['answer'], object>> = {
  json: ANY_JSON,
  events: EVENTS,
  'json or events': { ...ANY_JSON, ...EVENTS },
  text: { 'text/plain': { schema: { type: 'string' } } },
};

const pathParameters = (path: string): object[] =>
  [...templateOf(path).matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));

function queryParameters(query: z.ZodType): object[] {
  const { properties = {} } = jsonSchemaOf(query) as { readonly properties?: Readonly<Record<string, object>> };
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', required: false, schema }));
}

/** Of what is sent, before anything is filled in; what a schema says only by a function is left open. */
function jsonSchemaOf(schema: z.ZodType): object {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod;
      // What `z.preprocess` makes of the input is told otherwise, and not what the input may be.
      const isPreprocessed = def.type === 'pipe' && def.in._zod.def.type === 'transform';
      if (isPreprocessed) for (const key of Object.keys(jsonSchema)) Reflect.deleteProperty(jsonSchema, key);
    },
  });
  return rest;
}
