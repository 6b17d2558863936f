import { describe, expect, it } from 'vitest';
import { checkConstraint } from './check-constraint.js';

describe('checkConstraint', () => {
  it('refuses an object of so many optional properties that its grammar would be too large', () => {
    const properties = Object.fromEntries(Array.from({ length: 1200 }, (_, index) => [`p${String(index)}`, true]));
    const schema = { type: 'object', properties, additionalProperties: false };
    expect(() => {
      checkConstraint({ kind: 'json_schema', schema });
    }).toThrow('more than 500000 alternatives');
    checkConstraint({ kind: 'json_schema', schema: { ...schema, required: Object.keys(properties) } });
  });
});
