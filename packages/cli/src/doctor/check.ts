/** One thing that doctor looked at. */
export interface Check {
  readonly name: string;
  /** `broken`: needed, and does not work. `note`: works without it, worth knowing. */
  readonly status: 'ok' | 'note' | 'broken';
  /** What was found, and where it is broken what to do. */
  readonly detail: string;
}

export const ok = (name: string, detail: string): Check => ({ name, status: 'ok', detail });
export const note = (name: string, detail: string): Check => ({ name, status: 'note', detail });
export const broken = (name: string, detail: string): Check => ({ name, status: 'broken', detail });
