import { expect, it } from 'vitest';
import { canonicalUrl, isForOperators } from './request-path.js';

it.each([
  ['/v1/models/', '/v1/models'],
  ['/v1//chat/completions', '/v1/chat/completions'],
  ['//v1///models//', '/v1/models'],
  ['/', '/'],
  ['//', '/'],
  ['/admin/v1/audit/?limit=3//', '/admin/v1/audit?limit=3//'],
  ['/v1/models/Qwen/Qwen3', '/v1/models/Qwen/Qwen3'],
  ['http://127.0.0.1:8000/v1/models?x=1', '/v1/models?x=1'],
  ['http://127.0.0.1:8000', '/'],
])('%s is %s', (url, canonical) => {
  expect(canonicalUrl(url)).toBe(canonical);
});

it('knows what is for operators', () => {
  expect(['/metrics', '/admin/v1/stats', '/administer', '/v1/models'].map(isForOperators)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
