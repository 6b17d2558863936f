import { expect, it } from 'vitest';
import { checkConstraint } from './check-constraint.js';

it('refuses what has too many alternatives before it works all of them out', { timeout: 60_000 }, () => {
  const names = Array.from({ length: 8000 }, (_, index) => `p${String(index)}`);
  const properties = Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
  const check = (schema: object) => () => {
    checkConstraint({ kind: 'json_schema', schema });
  };
  expect(check({ type: 'object', properties })).toThrow('more than 20000 alternatives');
  expect(check({ type: 'object', properties, required: names, additionalProperties: false })).not.toThrow();
});
