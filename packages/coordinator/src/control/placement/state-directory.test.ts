import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@expertmesh/shared/process/logger';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StateDirectory } from './state-directory.js';

const logger = createLogger({ name: 'test', level: 'silent' });
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'state-directory-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

describe('StateDirectory', () => {
  it('gives back the newest value of every key, and none that was deleted', async () => {
    const state = new StateDirectory(join(dir, 'placement'), logger);
    state.write('document/1', bytes('old'));
    state.write('document/1', bytes('new'));
    state.write('inForce', bytes('{}'));
    state.write('audit/1', bytes('gone'));
    state.delete('audit/1');
    await state.flush();
    const again = new StateDirectory(join(dir, 'placement'), logger);
    expect(again.read()).toEqual(
      new Map([
        ['document/1', bytes('new')],
        ['inForce', bytes('{}')],
      ]),
    );
    expect(readdirSync(join(dir, 'placement')).filter((name) => name.endsWith('.new'))).toEqual([]);
  });

  it('never has the newest of one key before what was written ahead of it', async () => {
    const state = new StateDirectory(join(dir, 'placement'), logger);
    state.write('audit/1', bytes('first'));
    state.write('inForce', bytes('old'));
    // So large that the time of writing it can be told from that of others.
    state.write('document/2', new Uint8Array(16_000_000));
    state.write('inForce', bytes('new'));
    await state.flush();
    const writtenNs = (key: string): bigint =>
      statSync(join(dir, 'placement', `${encodeURIComponent(key)}.json`), { bigint: true }).mtimeNs;
    expect(writtenNs('inForce')).toBeGreaterThanOrEqual(writtenNs('document/2'));
  });

  it('refuses a place where no directory can be, and names it', () => {
    writeFileSync(join(dir, 'file'), '');
    expect(() => new StateDirectory(join(dir, 'file'), logger)).toThrow(`--state-dir ${join(dir, 'file')}`);
  });
});
