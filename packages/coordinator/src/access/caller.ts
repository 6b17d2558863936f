import { AsyncLocalStorage } from 'node:async_hooks';
import { type KeyAccount } from './key-account.js';

/** Who a request is from, and what it has used so far. */
export interface Caller {
  /** Absent where no keys are asked for. */
  readonly account?: KeyAccount | undefined;
  promptTokens: number;
  completionTokens: number;
}

const callers = new AsyncLocalStorage<Caller>();

/**
 * Runs `action`, and all that it starts, on behalf of a caller: the engine learns from here whose sequences it is asked
 * for, so that no way in can forget to tell it.
 */
export function onBehalfOf<T>(caller: Caller, action: () => T): T {
  return callers.run(caller, action);
}

/** Absent for what the coordinator does by itself. */
export function currentCaller(): Caller | undefined {
  return callers.getStore();
}
