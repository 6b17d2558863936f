import { describe, expect, it } from 'vitest';
import { StopStrings } from './stop-strings.js';

function run(stops: readonly string[], pieces: readonly string[], includeStop = false): string {
  const matcher = new StopStrings(stops, { includeStop });
  let text = '';
  for (const piece of pieces) {
    const match = matcher.push(piece);
    text += match.text;
    if (match.stoppedAt !== undefined) return `${text}|`;
  }
  return text + matcher.flush();
}

describe('StopStrings', () => {
  it('ends the text before a stop string that comes in pieces', () => {
    expect(run(['\nUser:'], ['hi', ' there\n', 'Us', 'er: and'])).toBe('hi there|');
  });

  it('ends the text after the stop string when it is to be included', () => {
    expect(run(['END'], ['a E', 'ND b'], true)).toBe('a END|');
  });

  it('gives held text back when it did not become a stop string', () => {
    const matcher = new StopStrings(['END'], { includeStop: false });
    expect(matcher.push('an E').text).toBe('an ');
    expect(matcher.push('N').text).toBe('');
    expect(matcher.push('emy').text).toBe('ENemy');
  });

  it('gives held text out at the end', () => {
    expect(run(['END'], ['the EN'])).toBe('the EN');
  });

  it('finds a stop string inside a repeated beginning', () => {
    expect(run(['aab'], ['a', 'a', 'a', 'b'])).toBe('a|');
  });

  it('takes the stop string that is complete first', () => {
    expect(run(['abcd', 'c'], ['abcd'])).toBe('ab|');
    expect(run(['bc', 'abc'], ['abc'])).toBe('|');
  });

  it.each([
    [['abcd', 'c'], 'xabcd'],
    [['\n\n', '\nQ'], 'a\nb\n\nQ'],
    [['###', '##'], 'one ## two ### three'],
    [['zzz'], 'no stop here z zz'],
  ])('gives the same text for %j however %j is cut', (stops, text) => {
    const whole = run(stops, [text]);
    expect(run(stops, Array.from(text))).toBe(whole);
    for (let cut = 0; cut <= text.length; cut++) expect(run(stops, [text.slice(0, cut), text.slice(cut)])).toBe(whole);
  });

  it('passes everything through without stop strings', () => {
    expect(run([], ['a', 'b'])).toBe('ab');
  });
});
