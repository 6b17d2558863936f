import { describe, expect, it } from 'vitest';
import { formatQuietHours, isQuiet, parseQuietHours } from './quiet-hours.js';

const minute = (hours: number, minutes: number): number => hours * 60 + minutes;

describe('quiet hours', () => {
  it('are a span of the day, also over midnight', () => {
    const day = { fromMinute: minute(9, 0), toMinute: minute(17, 30) };
    expect(parseQuietHours('09:00-17:30')).toEqual(day);
    expect([minute(8, 59), minute(9, 0), minute(17, 29), minute(17, 30)].map((at) => isQuiet(day, at))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    const night = { fromMinute: minute(22, 0), toMinute: minute(6, 30) };
    expect(parseQuietHours('22:00-06:30')).toEqual(night);
    expect(formatQuietHours(night)).toBe('22:00-06:30');
    expect([minute(21, 59), minute(22, 0), minute(0, 0), minute(6, 30)].map((at) => isQuiet(night, at))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it.each(['22-06', '24:00-06:00', '9:00-10:00', '10:00-10:00', 'always'])('refuse %s', (text) => {
    expect(parseQuietHours(text)).toBeUndefined();
  });
});
