import { expect, it } from 'vitest';
import { type SourceTensor } from '../checkpoint/safetensors-header.js';
import { SourceReader } from './source-reader.js';

it('says which weight file cannot be read', () => {
  const tensor: SourceTensor = {
    name: 'model.norm.weight',
    dtype: 'F32',
    shape: [4],
    file: '/no/such/model.safetensors',
    offsetBytes: 0,
    sizeBytes: 16,
  };
  expect(() => new SourceReader().rows(tensor).next()).toThrow(
    expect.objectContaining({
      code: 'failed_precondition',
      message: expect.stringContaining('cannot read /no/such/model.safetensors: ENOENT') as string,
    }),
  );
});
