/** One line of figures for whoever reads the log of a run; each test says by itself what is too much. */
export function report(test: string, figures: Readonly<Record<string, number | string>>): void {
  const told = Object.entries(figures).map(
    ([name, value]) => `${name} ${typeof value === 'number' ? rounded(value) : value}`,
  );
  process.stdout.write(`chaos ${test}: ${told.join(', ')}\n`);
}

const rounded = (value: number): string => String(Math.round(value * 10) / 10);
