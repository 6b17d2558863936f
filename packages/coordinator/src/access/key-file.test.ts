import { expect, it } from 'vitest';
import { findKey, hashOfKey } from './api-key.js';
import { parseKeyFile } from './key-file.js';

const hex = hashOfKey('secret-key').toString('hex');

it('reads a key a line, with limits behind it', () => {
  const text = `# keys\n\nalice sha256:${hex} requests-per-minute=60 max-model-len=4096\r\nbob plain-secret\n`;
  const keys = parseKeyFile(text, 'keys');
  expect(keys.map(({ name, limits }) => [name, limits])).toEqual([
    ['alice', { requestsPerMinute: 60, maxModelLen: 4096 }],
    ['bob', {}],
  ]);
  expect(findKey(keys, 'secret-key')?.name).toBe('alice');
  expect(findKey(keys, 'plain-secret')?.name).toBe('bob');
  expect(findKey(keys, 'plain-secret2')).toBeUndefined();
});

it('reads JSON', () => {
  const keys = [{ name: 'alice', sha256: hex, limits: { tokensPerMinute: 1000, concurrentRequests: 2 } }];
  expect(parseKeyFile(JSON.stringify({ keys }), 'keys.json')).toMatchObject([
    { name: 'alice', limits: { tokensPerMinute: 1000, concurrentRequests: 2 } },
  ]);
});

it.each([
  ['alice', 'must have either sha256 or key'],
  ['alice short', 'at least 8 characters'],
  ['alice sha256:abc', '64 digits'],
  ['a/b plain-secret', 'letters, digits'],
  ['alice plain-secret requests=5', 'in line 1 must be limits'],
  ['alice plain-secret requests-per-minute=0', 'requestsPerMinute'],
  ['alice plain-secret\nalice other-secret', 'stands twice'],
  ['alice plain-secret\nbob plain-secret', 'has the key of another'],
  ['{"keys": [', 'begins like JSON'],
  ['{"keys": [{"name": "a", "key": "plain-secret", "sha256": "x"}]}', '64 digits'],
  ['{"keys": [{"name": "a", "key": "plain-secret", "role": "x"}]}', 'role'],
])('refuses %j, and shows no key', (text, complaint) => {
  let message = '';
  try {
    parseKeyFile(text, 'keys');
  } catch (thrown) {
    ({ message } = thrown as Error);
  }
  expect(message).toContain(complaint);
  expect(message).toContain('the key file keys');
  expect(message).not.toContain('plain-secret');
});
