/**
 * A function as templates print it: of what the client wrote only what the model shall see, in the client's order.
 * `names` has the name in the template for each key of the client's that is shown.
 */
export function templateFunction(source: unknown, names: Readonly<Record<string, string>>): object {
  const shown = Object.entries(source as object).flatMap(([key, value]) => {
    const name = Object.hasOwn(names, key) ? names[key] : undefined;
    return name === undefined || value === null ? [] : [[name, value as unknown] as const];
  });
  return { type: 'function', function: Object.fromEntries(shown) };
}
