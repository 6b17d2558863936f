import { describe, expect, it } from 'vitest';
import { parseListening } from './parent-link.js';

const worker = { type: 'listening', role: 'worker', dataPort: 40_000, controlPort: 40_001 };

describe('parseListening', () => {
  it('reads the ports that a child reports', () => {
    expect(parseListening(worker, 'worker')).toEqual({ dataPort: 40_000, controlPort: 40_001 });
    const coordinator = { type: 'listening', role: 'coordinator', httpPort: 8000, grpcPort: 9000 };
    expect(parseListening(coordinator, 'coordinator')).toEqual({ httpPort: 8000, grpcPort: 9000 });
  });

  it.each([undefined, 'listening', { ...worker, dataPort: 0 }, { ...worker, type: 'other' }])(
    'knows %j as no such report',
    (message) => {
      expect(parseListening(message, 'worker')).toBeUndefined();
    },
  );

  it('does not take one role for another', () => {
    expect(parseListening(worker, 'coordinator')).toBeUndefined();
  });
});
