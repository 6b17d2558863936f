import { type Metadata, type sendUnaryData } from '@grpc/grpc-js';
import { toServiceError } from '@expertmesh/shared/rpc/status';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type AccessControl } from '../access/access-control.js';
import { type Caller, onBehalfOf } from '../access/caller.js';
import { presentedKey } from '../access/presented-key.js';

interface Call {
  readonly metadata: Metadata;
  once(event: 'close' | 'finish' | 'cancelled', listener: () => void): unknown;
  emit(event: 'error', error: unknown): unknown;
}

type Handler = (call: never, callback: never) => void;

/** The same handlers, each call held to the limits of its key, and the engine told whose it is. */
export function withKeys<Handlers extends object>(handlers: Handlers, access: AccessControl, clock: Clock): Handlers {
  return guarded(handlers, (call, run) => {
    const caller = access.callerOf(keyOf(call));
    open(call, caller, clock);
    onBehalfOf(caller, run);
  });
}

/** The same handlers, for calls with the admin key alone. */
export function withAdminKey<Handlers extends object>(handlers: Handlers, access: AccessControl): Handlers {
  return guarded(handlers, (call, run) => {
    access.requireAdmin(keyOf(call));
    run();
  });
}

function guarded<Handlers extends object>(handlers: Handlers, guard: (call: Call, run: () => void) => void): Handlers {
  const entries = Object.entries(handlers).map(([name, handler]) => [name, guardedHandler(handler as Handler, guard)]);
  return Object.fromEntries(entries) as Handlers;
}

/** Handlers of unary methods have a callback, those of streams have the call alone. */
const guardedHandler =
  (handler: Handler, guard: (call: Call, run: () => void) => void) =>
  (call: Call, callback?: sendUnaryData<unknown>): void => {
    try {
      guard(call, () => {
        handler(call as never, callback as never);
      });
    } catch (thrown) {
      const error = toServiceError(thrown);
      if (callback === undefined) call.emit('error', error);
      else callback(error);
    }
  };

function open(call: Call, { account }: Caller, clock: Clock): void {
  if (account === undefined) return;
  account.open(clock.nowMs());
  let isOpen = true;
  const close = (): void => {
    if (isOpen) account.close();
    isOpen = false;
  };
  for (const event of ['close', 'finish', 'cancelled'] as const) call.once(event, close);
}

function keyOf({ metadata }: Call): string | undefined {
  const [authorization] = metadata.get('authorization');
  const [apiKey] = metadata.get('x-api-key');
  return presentedKey({ authorization: authorization?.toString(), 'x-api-key': apiKey?.toString() });
}
