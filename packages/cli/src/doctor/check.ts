/** One thing that doctor looked at. */
export interface Check {
  readonly name: string;
  /** `broken`: needed, and does not work. `note`: works without it, worth knowing. */
  readonly status: 'ok' | 'note' | 'broken';
  /** What was found, and where it is broken what to do. */
  readonly detail: string;
}

export function ok(name: string, detail: string): Check {
  return { name, status: 'ok', detail };
}
export function note(name: string, detail: string): Check {
  return { name, status: 'note', detail };
}
export function broken(name: string, detail: string): Check {
  return { name, status: 'broken', detail };
}
