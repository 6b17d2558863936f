import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { fieldErrors, mustBe } from './field-errors.js';

const schema = z.strictObject({
  list: z.array(z.number()).min(1).max(2).optional(),
  flag: z.boolean().optional(),
  small: z.number().min(0).max(2).optional(),
  labels: z.record(z.string(), z.unknown()).optional(),
  type: z.literal('function').optional(),
  kind: z.discriminatedUnion('role', [z.object({ role: z.literal('user') }), z.object({ role: z.literal('tool') })]),
  either: z.union([z.string(), z.array(z.string())], { error: mustBe('a string or a list of strings') }).optional(),
});

const complaints = (fields: object): string[] =>
  (schema.safeParse({ kind: { role: 'user' }, ...fields }, { error: fieldErrors }).error?.issues ?? []).map(
    ({ path, message }) => `${path.join('.')} ${message}`,
  );

describe('fieldErrors', () => {
  it.each([
    [{ kind: undefined }, 'kind is required'],
    [{ kind: {} }, 'kind.role is required'],
    [{ kind: { role: 'king' } }, 'kind.role must be "user" or "tool", is "king"'],
    [{ kind: [] }, 'kind must be an object, is a list'],
    [{ list: 'x' }, 'list must be a list, is a string'],
    [{ list: [1, '2'] }, 'list.1 must be a number, is a string'],
    [{ list: [] }, 'list must not be empty'],
    [{ list: [1, 2, 3] }, 'list must have at most 2 entries, has 3'],
    [{ flag: 'yes' }, 'flag must be true or false, is a string'],
    [{ small: '1' }, 'small must be a number, is a string'],
    [{ small: 3 }, 'small must be at most 2, is 3'],
    [{ small: -1 }, 'small must be at least 0, is -1'],
    [{ labels: true }, 'labels must be an object, is true'],
    [{ type: 'tool' }, 'type must be "function", is "tool"'],
    [{ either: 5 }, 'either must be a string or a list of strings, is a number'],
  ])('%j: %s', (fields, complaint) => {
    expect(complaints(fields)).toEqual([complaint]);
  });
});
