import { type ErrorData } from '../errors/expertmesh-error.js';

/** What a thread is to the one that starts it. Whatever crosses the border must be plain data, or is transferred. */
export interface ThreadContract {
  /** What it is started with. */
  readonly data: unknown;
  /** What it says when it can be used; whatever comes before that waits. */
  readonly ready: unknown;
  /** What can be asked of it: each request has one answer, or an error. */
  readonly requests: Readonly<Record<string, ThreadRequest>>;
  /** What it can be told, without an answer; by name. */
  readonly messages: object;
  /** What it tells by itself; by name. */
  readonly events: object;
}

export interface ThreadRequest {
  readonly argument: unknown;
  readonly result: unknown;
  /** What it tells while it works on the request. */
  readonly progress?: unknown;
}

export type RequestName<C extends ThreadContract> = keyof C['requests'] & string;
export type MessageName<C extends ThreadContract> = keyof C['messages'] & string;
export type EventName<C extends ThreadContract> = keyof C['events'] & string;

export type Argument<C extends ThreadContract, N extends RequestName<C>> = C['requests'][N]['argument'];
export type Result<C extends ThreadContract, N extends RequestName<C>> = C['requests'][N]['result'];
export type Progress<C extends ThreadContract, N extends RequestName<C>> = C['requests'][N]['progress'];

/** Buffers that are handed over: whoever sends them has them no more. */
export type TransferList = readonly ArrayBuffer[];

/** What travels to the thread. */
export type ToThread =
  | { readonly kind: 'request'; readonly id: number; readonly name: string; readonly argument: unknown }
  /** Whoever asked does not need the answer any more. It is answered all the same. */
  | { readonly kind: 'abort'; readonly id: number }
  | { readonly kind: 'message'; readonly name: string; readonly payload: unknown }
  /** Nothing follows. */
  | { readonly kind: 'close' };

/** What travels from the thread. */
export type FromThread =
  | { readonly kind: 'ready'; readonly value: unknown }
  | { readonly kind: 'not-ready'; readonly error: ErrorData }
  | { readonly kind: 'event'; readonly name: string; readonly payload: unknown }
  | { readonly kind: 'progress'; readonly id: number; readonly payload: unknown }
  | { readonly kind: 'result'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly error: ErrorData };
