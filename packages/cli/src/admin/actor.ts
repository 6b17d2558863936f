import { hostname, userInfo } from 'node:os';

/** Who the audit says has asked: the user of this machine. */
export function actor(): string {
  return `${userName()}@${hostname()}`;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number that no name belongs to.
    return `uid-${String(process.getuid?.() ?? 'unknown')}`;
  }
}
