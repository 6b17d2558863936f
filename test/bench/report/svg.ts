/** A rectangle with a tip for the mouse. */
export function rectangle(x: number, y: number, width: number, height: number, colour: string, tip: string): string {
  return (
    `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}" ` +
    `fill="${colour}"><title>${escapeXml(tip)}</title></rect>`
  );
}

export function label(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escapeXml(content)}</text>`;
}

/** On white, with a heading in the upper left corner. */
export function svgDocument(width: number, height: number, heading: string, content: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(width)} ${String(height)}" ` +
      'font-family="sans-serif" font-size="13">',
    `<rect width="${String(width)}" height="${String(height)}" fill="#ffffff"/>`,
    label(10, 22, heading, 'font-weight="bold"'),
    ...content,
    '</svg>',
    '',
  ].join('\n');
}

export function escapeXml(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
