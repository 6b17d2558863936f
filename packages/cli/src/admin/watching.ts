import { setTimeout as sleep } from 'node:timers/promises';
import { type Option } from 'commander';
import { decimal } from '@expertmesh/shared/config/option-value';
import { checkedOption } from '../options/checked-option.js';
import { LiveScreen } from '../terminal/live-screen.js';
import { onQuitKey } from '../terminal/quit-keys.js';

/** Flags of a command that shows something. */
export interface ShowFlags {
  readonly json?: true;
  /** Seconds between two looks. */
  readonly watch?: number;
}

const DEFAULT_SECONDS = '2';

export function watchFlag(): Option {
  const value = { ...decimal('[seconds]', 0.1, 3600), preset: DEFAULT_SECONDS };
  return checkedOption(
    '--watch',
    `Show it again and again (every ${DEFAULT_SECONDS} s), until q or Ctrl-C.`,
    value,
  ).preset(DEFAULT_SECONDS);
}

export interface Shown {
  /** What --json prints. */
  readonly json: unknown;
  readonly lines: readonly string[];
}

/**
 * Prints once, or with --watch until it is ended: in place on a terminal, else one after the other, JSON as one line
 * each.
 *
 * @param look asks the cluster.
 */
export async function show(flags: ShowFlags, interrupt: AbortController, look: () => Promise<Shown>): Promise<void> {
  if (flags.watch === undefined) {
    const { json, lines } = await look();
    process.stdout.write(flags.json ? `${JSON.stringify(json, undefined, 2)}\n` : `${lines.join('\n')}\n`);
    return;
  }
  const { signal } = interrupt;
  const isLive = process.stdout.isTTY && flags.json === undefined;
  const screen = new LiveScreen(process.stdout);
  const releaseKeys = isLive ? onQuitKey(process.stdin, () => interrupt.abort()) : undefined;
  try {
    while (!signal.aborted) {
      const { json, lines } = await look();
      if (isLive) screen.draw(lines);
      else process.stdout.write(flags.json ? `${JSON.stringify(json)}\n` : `${lines.join('\n')}\n\n`);
      await sleep(1000 * flags.watch, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    releaseKeys?.();
    screen.close();
  }
}
