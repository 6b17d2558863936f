import { expect, it } from 'vitest';
import { canonicalUrl } from './request-path.js';

it.each([
  ['/v1/models/', '/v1/models'],
  ['/v1//chat/completions', '/v1/chat/completions'],
  ['//v1///models//', '/v1/models'],
  ['/', '/'],
  ['//', '/'],
  ['/admin/v1/audit/?limit=3//', '/admin/v1/audit?limit=3//'],
  ['/v1/models/Qwen/Qwen3', '/v1/models/Qwen/Qwen3'],
])('%s is %s', (url, canonical) => {
  expect(canonicalUrl(url)).toBe(canonical);
});
