import Anthropic from '@anthropic-ai/sdk';
import { AccessControl } from '@expertmesh/coordinator/access/access-control';
import { hashOfKey } from '@expertmesh/coordinator/access/api-key';
import { systemClock } from '@expertmesh/shared/rpc/clock';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MODEL_ID, type ScriptedApi, startScriptedApi } from '@expertmesh/test-kit/http-api';

const ALIAS = 'claude-local';

let api: ScriptedApi;
beforeAll(async () => {
  const keys = ['alice', 'bob'].map((name) => ({
    name,
    hash: hashOfKey(`key-of-${name}`),
    limits: name === 'bob' ? { requestsPerMinute: 3 } : {},
  }));
  const access = new AccessControl({ keys, clock: systemClock });
  api = await startScriptedApi({ access, aliases: [ALIAS], unknownFields: 'ignore' });
  await api.answerWith('132');
});
afterAll(() => api.close());

const openaiOf = (name: string): OpenAI =>
  new OpenAI({ baseURL: `${api.url}/v1`, apiKey: `key-of-${name}`, maxRetries: 0 });
const anthropicOf = (name: string): Anthropic =>
  new Anthropic({ baseURL: api.url, apiKey: `key-of-${name}`, maxRetries: 0 });

const message = { model: ALIAS, max_tokens: 10, messages: [{ role: 'user' as const, content: 'Hi' }] };

describe('dialects of the API where keys are asked for', () => {
  it('show a response only to who made it', async () => {
    const [alice, bob] = [openaiOf('alice'), openaiOf('bob')];
    const { id, output } = await alice.responses.create({ model: MODEL_ID, input: 'Hi' });
    expect(await alice.responses.retrieve(id)).toMatchObject({ id });
    await expect(bob.responses.retrieve(id)).rejects.toMatchObject({ status: 404 });
    await expect(bob.responses.delete(id)).rejects.toMatchObject({ status: 404 });
    const asBob = { model: MODEL_ID, previous_response_id: id, input: 'And?' };
    await expect(bob.responses.create(asBob)).rejects.toMatchObject({ status: 400, param: 'previous_response_id' });
    const reference = { type: 'item_reference' as const, id: output[0]?.id ?? '' };
    await expect(bob.responses.create({ model: MODEL_ID, input: [reference] })).rejects.toMatchObject({ status: 400 });
  });

  it("say in Anthropic's form that a key is wrong, or asks too much", async () => {
    const wrong: unknown = await anthropicOf('mallory')
      .messages.create(message)
      .catch((thrown: unknown) => thrown);
    expect(wrong).toBeInstanceOf(Anthropic.AuthenticationError);
    expect(wrong).toMatchObject({ error: { type: 'error', error: { type: 'authentication_error' } } });
    const bob = anthropicOf('bob');
    await bob.messages.create(message);
    const tooMany: unknown = await bob.messages.create(message).catch((thrown: unknown) => thrown);
    expect(tooMany).toBeInstanceOf(Anthropic.RateLimitError);
    expect(tooMany).toMatchObject({ error: { error: { type: 'rate_limit_error' } } });
  });

  it('answer under the name by which they were asked', async () => {
    expect(await anthropicOf('alice').messages.create(message)).toMatchObject({ model: ALIAS });
    expect(await openaiOf('alice').responses.create({ model: ALIAS, input: 'Hi' })).toMatchObject({ model: ALIAS });
  });

  it('ignore unknown fields where the server is told to', async () => {
    const extra = { new_field: 1 };
    await anthropicOf('alice').messages.create({ ...message, ...extra });
    await openaiOf('alice').responses.create({ model: MODEL_ID, input: 'Hi', ...extra });
  });
});
