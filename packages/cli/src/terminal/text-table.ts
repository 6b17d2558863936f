import { visibleWidth } from './visible-text.js';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** Lines of a table with aligned columns, two spaces between them; cells may have colours. */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const titles = columns.map(({ title }) => title);
  const widths = columns.map((_, column) =>
    Math.max(...[titles, ...rows].map((cells) => visibleWidth(cells[column] ?? ''))),
  );
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align = 'left' }, column) => {
        const cell = cells[column] ?? '';
        const padding = ' '.repeat((widths[column] ?? 0) - visibleWidth(cell));
        return align === 'right' ? padding + cell : cell + padding;
      })
      .join('  ')
      .trimEnd();
  return [titles, ...rows].map(line);
}
