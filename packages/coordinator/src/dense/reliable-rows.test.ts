import { describe, expect, it } from 'vitest';
import { reliableRows } from './reliable-rows.js';

describe('reliableRows', () => {
  it('sets no limit where many rows are right', async () => {
    expect(await reliableRows(() => Promise.resolve(1e-6))).toBe(Infinity);
  });

  it('stays below 32 rows where more are wrong', async () => {
    expect(await reliableRows((numRows) => Promise.resolve(numRows < 32 ? 1e-6 : 0.7))).toBe(31);
  });

  it.each([0.7, NaN])('refuses a device that is wrong by %d with few rows, too', async (error) => {
    await expect(reliableRows(() => Promise.resolve(error))).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringContaining('use --ep native or cpu') as string,
    });
  });
});
