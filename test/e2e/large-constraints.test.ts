import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEMO_MODEL, Mesh } from '@expertmesh/test-kit/mesh';
import { expectOthersUndisturbed } from '@expertmesh/test-kit/others-undisturbed';
import { stopAll } from '@expertmesh/test-kit/process';

let mesh: Mesh;
beforeAll(async () => {
  mesh = await Mesh.start(['--workers', '1']);
});
afterAll(stopAll);

describe('a large constraint', () => {
  const complete = (constraint: object): Promise<Response> =>
    fetch(`${mesh.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: DEMO_MODEL, prompt: 'q', max_tokens: 4, temperature: 0, ...constraint }),
    });
  const names = Array.from({ length: 4_000 }, (_, index) => `property${String(index)}`);

  it('builds the grammar of a schema of 4,000 properties beside what it serves', async () => {
    const schemaOf = (type: string): object => ({
      type: 'object',
      properties: Object.fromEntries(names.map((name) => [name, { type }])),
      required: names,
      additionalProperties: false,
    });
    const attack = async (type: string): Promise<void> => {
      const format = { type: 'json_schema', json_schema: { name: 's', schema: schemaOf(type) } };
      expect((await complete({ response_format: format })).status).toBe(200);
    };
    await attack('boolean');
    await expectOthersUndisturbed(mesh, () => attack('string'));
  });

  it('builds that of 20,000 choices likewise', async () => {
    const attack = async (word: string): Promise<void> => {
      const choice = Array.from({ length: 20_000 }, (_, index) => `${word} ${String(index)}`);
      expect((await complete({ structured_outputs: { choice } })).status).toBeLessThan(500);
    };
    await attack('choice');
    await expectOthersUndisturbed(mesh, () => attack('number'));
  });
});
