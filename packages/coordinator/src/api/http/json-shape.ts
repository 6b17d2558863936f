/** Deeper than any schema of a tool, and shallow enough for whatever walks it by calling itself. */
export const MAX_DEPTH = 128;

const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;
const OPENING = [91, 123];
const CLOSING = [93, 125];

/** What parsing a JSON text would make, as far as it was looked at. */
export interface JsonShape {
  readonly depth: number;
  /** Values in lists and members of objects, about. */
  readonly numElements: number;
}

/**
 * Looks at a JSON text without parsing it, until it is deeper or has more elements than the bounds. One step a
 * character, whatever the text is.
 */
export function jsonShape(text: string, maxElements: number): JsonShape {
  let [level, depth, numElements] = [0, 0, 0];
  for (let index = 0; index < text.length && depth <= MAX_DEPTH && numElements <= maxElements; index++) {
    const char = text.charCodeAt(index);
    if (char === QUOTE) index = endOfString(text, index);
    else if (char === COMMA) numElements++;
    else if (CLOSING.includes(char)) level--;
    else if (OPENING.includes(char)) {
      level++;
      numElements++;
      depth = Math.max(depth, level);
    }
  }
  return { depth, numElements };
}

/** Of the closing quote, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index++) {
    const char = text.charCodeAt(index);
    if (char === QUOTE) return index;
    if (char === BACKSLASH) index++;
  }
  return text.length;
}
