const ESCAPE_CODES = /\u001b\[[\d;]*m/g;

/** Columns that a text takes; all that we print takes one a character. */
export function visibleWidth(text: string): number {
  return Array.from(text.replaceAll(ESCAPE_CODES, '')).length;
}

/** The first columns of a line, with the escape codes that are in them. */
export function clipLine(line: string, width: number): string {
  if (visibleWidth(line) <= width) return line;
  let clipped = '';
  let left = width;
  for (const part of line.split(/(\u001b\[[\d;]*m)/)) {
    if (part.startsWith('\u001b[')) clipped += part;
    else {
      const shown = Array.from(part).slice(0, left);
      clipped += shown.join('');
      left -= shown.length;
    }
  }
  return clipped;
}
