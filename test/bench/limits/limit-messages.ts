/** What is read at a time: far more than any cache holds. */
export const READ_BYTES = 512 * 1024 * 1024;

/** What a process does that the machine is measured with. */
export type LimitRole = 'reader' | 'echo';

export type LimitAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'read'; readonly bytesPerSecond: number };
