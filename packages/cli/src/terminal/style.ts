/** How text is coloured; the plain style writes no escape codes at all. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly warn: (text: string) => string;
  /** From blue over green to red by `heat`, 0 to 1. */
  readonly heat: (heat: number, text: string) => string;
}

/** Of the 256 colours that terminals have: cold to hot. */
const HEAT_COLOURS = [25, 31, 37, 36, 71, 106, 142, 178, 208, 202, 196] as const;

const unchanged = (text: string): string => text;

export const PLAIN: Style = { bold: unchanged, dim: unchanged, warn: unchanged, heat: (_heat, text) => text };

const sgr =
  (code: string) =>
  (text: string): string =>
    `\u001b[${code}m${text}\u001b[0m`;

export const COLOURED: Style = {
  bold: sgr('1'),
  dim: sgr('2'),
  warn: sgr('33'),
  heat: (heat, text) => {
    const step = Math.round(Math.min(1, Math.max(0, heat)) * (HEAT_COLOURS.length - 1));
    return sgr(`38;5;${String(HEAT_COLOURS[step] ?? 0)}`)(text);
  },
};

/** Colours where the stream is a terminal that has them, unless NO_COLOR (no-color.org) is set. */
export function styleFor(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): Style {
  return stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb' ? COLOURED : PLAIN;
}
