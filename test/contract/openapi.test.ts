import { readFileSync } from 'node:fs';
import { ScriptedClusterAdmin } from '@expertmesh/test-kit/scripted-cluster-admin';
import { startAdminServer } from '@expertmesh/test-kit/admin-server';
import { type ScriptedApi, startScriptedApi } from '@expertmesh/test-kit/http-api';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

interface OpenApi {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Operation {
  readonly operationId: string;
  readonly security: readonly object[];
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: object } } };
}

let api: ScriptedApi;
let admin: Awaited<ReturnType<typeof startAdminServer>>;
let document: OpenApi;
beforeAll(async () => {
  admin = await startAdminServer(new ScriptedClusterAdmin());
  api = await startScriptedApi({ admin: admin.api });
  await api.answerWith('ok');
  document = (await (await fetch(`${api.url}/openapi.json`)).json()) as OpenApi;
});
afterAll(async () => {
  await api.close();
  await admin.close();
});

function bodySchema(path: string): object {
  const schema = document.paths[path]?.['post']?.requestBody?.content['application/json'].schema;
  if (schema === undefined) throw new Error(`${path} has no body`);
  return schema;
}

describe('the OpenAPI document', () => {
  it('tells of every route that there is, and of no other', () => {
    const registered = api.server.routes
      .filter(({ method }) => method !== 'HEAD')
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}').replace(/\*$/, '{path}')}`);
    const told = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(told.sort()).toEqual(registered.sort());
  });

  it('is of version 3.1, with an id an operation', () => {
    expect(document.openapi).toBe('3.1.0');
    const ids = Object.values(document.paths).flatMap((path) => Object.values(path).map((each) => each.operationId));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('has schemas that can be compiled', () => {
    const ajv = new Ajv2020({ strict: false });
    for (const path of Object.values(document.paths))
      for (const { requestBody } of Object.values(path))
        if (requestBody !== undefined) ajv.compile(requestBody.content['application/json'].schema);
  });

  it.each([
    '/v1/chat/completions',
    '/v1/completions',
    '/v1/responses',
    '/v1/messages',
    '/v1/messages/count_tokens',
    '/tokenize',
    '/detokenize',
  ])('has the fields of %s', (path) => {
    expect(JSON.stringify(bodySchema(path))).toContain('"model"');
  });
});

const messages = [{ role: 'user', content: 'hi' }];

describe('bodies', () => {
  it.each<[string, object]>([
    ['/v1/chat/completions', { messages, temperature: 0.5, stop: ['x'], stream: false, n: 2 }],
    ['/v1/chat/completions', { messages, logit_bias: { 5: 1 }, logprobs: true, top_logprobs: 2, user: null }],
    ['/v1/chat/completions', { messages, tools: [{ type: 'function', function: { name: 'f' } }], tool_choice: 'auto' }],
    ['/v1/chat/completions', { messages, response_format: { type: 'json_object' }, chat_template_kwargs: {} }],
    ['/v1/completions', { prompt: 'x', echo: true, logprobs: 1 }],
    ['/v1/completions', { prompt: [[1, 2], [3]], max_tokens: 3 }],
    ['/v1/completions', { prompt: ['x', 'y'], stop_token_ids: [1] }],
    ['/v1/responses', { input: 'hi', store: false }],
    ['/v1/messages', { model: '', max_tokens: 5, messages }],
    ['/tokenize', { prompt: 'x', return_token_strs: true }],
    ['/tokenize', { messages, add_generation_prompt: false }],
    ['/detokenize', { tokens: [1, 2] }],
  ])('that are right are so by both: %s %j', async (path, body) => {
    expect(new Ajv2020({ strict: false }).validate(bodySchema(path), body)).toBe(true);
    expect((await api.post(path, body)).status).toBe(200);
  });

  it.each<[string, object]>([
    ['/v1/chat/completions', {}],
    ['/v1/chat/completions', { messages, temperature: 'hot' }],
    ['/v1/chat/completions', { messages, stop: 5 }],
    ['/v1/chat/completions', { messages, unheard_of: 1 }],
    ['/v1/completions', { prompt: {} }],
    ['/v1/completions', { prompt: ['x', 5] }],
    ['/detokenize', { tokens: ['x'] }],
  ])('that are wrong are so by both: %s %j', async (path, body) => {
    expect(new Ajv2020({ strict: false }).validate(bodySchema(path), body)).toBe(false);
    expect((await api.post(path, body)).status).toBe(400);
  });
});

describe('docs/api.md', () => {
  const text = readFileSync('docs/api.md', 'utf8');

  it.each([
    ['Chat', '/v1/chat/completions'],
    ['Completions', '/v1/completions'],
  ])('has every field of %s, and no other', (heading, path) => {
    const section = text.split(/^### /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
    const both = text.split(/^### /m).find((part) => part.startsWith('Both\n')) ?? '';
    const listed = [...(section + both).matchAll(/^\| ((?:`\w+`(?:, )?)+) +\|/gm)].flatMap(([, names = '']) =>
      [...names.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
    );
    const { properties } = bodySchema(path) as { readonly properties: object };
    expect(listed.sort()).toEqual(Object.keys(properties).sort());
  });
});
