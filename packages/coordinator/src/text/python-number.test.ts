import { describe, expect, it } from 'vitest';
import { pythonNumber } from './python-number.js';

describe('pythonNumber', () => {
  // Each as Python 3 prints json.dumps(json.loads(source)).
  it.each([
    ['0', '0'],
    ['-0', '0'],
    ['12345678901234567890', '12345678901234567890'],
    ['1.0', '1.0'],
    ['-0.0', '-0.0'],
    ['0.10', '0.1'],
    ['1e5', '100000.0'],
    ['1E-5', '1e-05'],
    ['0.0001', '0.0001'],
    ['0.00012345', '0.00012345'],
    ['1e15', '1000000000000000.0'],
    ['1e16', '1e+16'],
    ['123456789012345680000.0', '1.2345678901234568e+20'],
    ['1.5e300', '1.5e+300'],
    ['-2.5e-7', '-2.5e-07'],
    ['3.14159', '3.14159'],
    ['1e400', 'Infinity'],
  ])('prints %s as %s', (source, printed) => {
    expect(pythonNumber(source)).toBe(printed);
  });
});
