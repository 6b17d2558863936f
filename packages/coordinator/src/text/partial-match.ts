/**
 * Length of the longest end of `text` with which `marker` may begin: that much must be held back until more text shows
 * whether the marker follows. A complete marker does not count.
 */
export function partialMatchLength(text: string, marker: string): number {
  for (let length = Math.min(text.length, marker.length - 1); length > 0; length--) {
    if (text.endsWith(marker.slice(0, length))) return length;
  }
  return 0;
}
