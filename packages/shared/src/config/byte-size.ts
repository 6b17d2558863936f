const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/**
 * Reads "8GiB", "512 MiB", "1.5GB" or a plain number of bytes; undefined for anything else, and for more than a number
 * counts exactly.
 */
export function parseByteSize(text: string): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text.trim()) ?? [];
  const unitBytes = UNIT_BYTES[unit === '' ? 'B' : (unit?.toUpperCase() ?? '')];
  if (amount === undefined || unitBytes === undefined) return undefined;
  const sizeBytes = Math.floor(Number(amount) * unitBytes);
  return Number.isSafeInteger(sizeBytes) ? sizeBytes : undefined;
}
