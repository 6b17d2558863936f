/**
 * How often, or how long: few where the tests run with all others, and what the figures ask for with
 * `npm run test:chaos`. A variable of the environment sets one of them.
 *
 * @param name such as CHAOS_KILL_ROUNDS
 */
export function scaled(name: string, short: number, full: number): number {
  const given = process.env[name];
  if (given !== undefined) return Number(given);
  return process.env['CHAOS'] === 'full' ? full : short;
}
