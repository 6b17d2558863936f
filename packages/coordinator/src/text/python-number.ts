/**
 * A JSON number as Python prints it after reading it (`json.dumps(json.loads(source))`): integers keep all their
 * digits, and the shortest digits of a float stand in Python's layout, with an exponent below 1e-4 and from 1e16 on.
 */
export function pythonNumber(source: string): string {
  if (!/[.eE]/u.test(source)) return source === '-0' ? '0' : source;
  const value = Number(source);
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const magnitude = Math.abs(value);
  if (magnitude >= 1e-4 && magnitude < 1e16) {
    const plain = String(value).includes('e') ? value.toFixed(20).replace(/0+$/u, '') : String(value);
    return plain.includes('.') ? plain : `${plain}.0`;
  }
  const [digits = '', exponent = ''] = value.toExponential().split('e');
  const [sign = '', ...power] = exponent;
  return `${digits}e${sign}${power.join('').padStart(2, '0')}`;
}
