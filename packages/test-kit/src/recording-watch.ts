import { type KeyValueEntry, type KeyValueListener } from '@expertmesh/shared/control-plane/control-plane';

export function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text));
}

export function texts(value: Uint8Array): string {
  return Buffer.from(value).toString();
}

/** Writes down what a watch tells: "key=value", "key deleted". */
export class RecordingWatch implements KeyValueListener {
  readonly told: string[] = [];
  readonly revisions: number[] = [];
  numCurrent = 0;
  /** Resolves when everything that is there has been told. */
  readonly current: Promise<void>;
  #resolveCurrent: () => void = () => undefined;

  constructor() {
    this.current = new Promise((resolve) => (this.#resolveCurrent = resolve));
  }

  onEntry({ key, value, revision }: KeyValueEntry): void {
    this.told.push(`${key}=${texts(value)}`);
    this.revisions.push(revision);
  }

  onDelete(key: string): void {
    this.told.push(`${key} deleted`);
  }

  onCurrent(): void {
    this.numCurrent += 1;
    this.#resolveCurrent();
  }
}
