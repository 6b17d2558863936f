import { expect, it } from 'vitest';
import { parseManifest, serialiseManifest, type Manifest } from './manifest.js';

const file = (path: string): Manifest['blobs'][number] => ({ path, sizeBytes: 12, sha256: 'ab'.repeat(32) });

const MANIFEST: Manifest = {
  formatVersion: 1,
  modelConfig: { model_type: 'qwen3_moe', rope_scaling: null },
  quantisation: { bits: 4, blockSize: 64 },
  blobs: [file('dense/head.bin')],
  files: [file('tokenizer.json'), file('chat_template.jinja')],
};

it('reads what it wrote', () => {
  expect(parseManifest(serialiseManifest(MANIFEST), 'manifest.json')).toEqual(MANIFEST);
});

it('refuses another format version, with the remedy, whatever else is in it', () => {
  expect(() => parseManifest('{"formatVersion": 2, "blobs": {}}', '/store/manifest.json')).toThrow(
    '/store/manifest.json has format version 2, this release reads version 1: pack the checkpoint again',
  );
});

it.each([
  ['no JSON', '{"formatVersion": 1', 'is damaged'],
  ['no version', '{}', 'formatVersion'],
  ['an unknown quantisation', serialiseManifest({ ...MANIFEST, quantisation: { bits: 5 } as never }), 'quantisation'],
  [
    'a size that is none',
    serialiseManifest({ ...MANIFEST, blobs: [{ ...file('x'), sizeBytes: -1 }] }),
    'blobs.0.sizeBytes',
  ],
  ['a file outside of the store', serialiseManifest({ ...MANIFEST, files: [file('../config.json')] }), 'files.0.path'],
  ['an unknown key', JSON.stringify({ ...MANIFEST, comment: 1 }), 'comment'],
])('refuses a manifest with %s', (_, json, message) => {
  expect(() => parseManifest(json, 'manifest.json')).toThrow(message);
});
