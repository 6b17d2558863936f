import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { ExpertmeshError, toErrorData } from '../errors/expertmesh-error.js';
import {
  type Argument,
  type EventName,
  type FromThread,
  type MessageName,
  type Progress,
  type RequestName,
  type Result,
  type ThreadContract,
  type ToThread,
  type TransferList,
} from './thread-contract.js';

/** What a request is answered with: nothing, where the contract's result is undefined. */
type Answer<T> = [T] extends [undefined] ? Promise<void> : T | Promise<T>;

/** While a request is being answered. */
export interface RequestContext<P> {
  /** Aborts when whoever asked does not need the answer any more. */
  readonly signal: AbortSignal;
  readonly progress: (payload: P, transfer?: TransferList) => void;
}

/** What a thread does of its contract. */
export interface ThreadService<C extends ThreadContract> {
  readonly ready: C['ready'];
  readonly requests: {
    readonly [N in RequestName<C>]: (
      argument: Argument<C, N>,
      context: RequestContext<Progress<C, N>>,
    ) => Answer<Result<C, N>>;
  };
  /** One that throws is a bug, and ends the thread. */
  readonly messages: { readonly [N in MessageName<C>]: (payload: C['messages'][N]) => void };
  /** Frees what the thread has; it ends when nothing keeps it running after that. */
  readonly close?: () => Promise<void>;
}

/** Tells the other side what the contract has among its events. */
export type Emit<C extends ThreadContract> = <N extends EventName<C>>(
  name: N,
  payload: C['events'][N],
  transfer?: TransferList,
) => void;

/** The whole of a thread's entry file: opens what serves the contract, and serves it until it is told to close. */
export function serveThread<C extends ThreadContract>(
  open: (data: C['data'], emit: Emit<C>) => ThreadService<C> | Promise<ThreadService<C>>,
): void {
  if (parentPort === null) throw new ExpertmeshError('internal', 'this file must run as a worker thread');
  const port = parentPort;
  const send = sender(port);
  const emit: Emit<C> = (name, payload, transfer) => {
    send({ kind: 'event', name, payload }, transfer);
  };
  const opened = Promise.resolve().then(() => open(workerData as C['data'], emit));
  opened.then(
    (service) => {
      // The types of the contract end here: names and payloads are what the other side's types allow.
      new ServedPort(port, service as unknown as UntypedService);
      send({ kind: 'ready', value: service.ready });
    },
    (error: unknown) => {
      send({ kind: 'not-ready', error: toErrorData(error) });
      port.close();
    },
  );
}

interface UntypedService {
  readonly requests: Readonly<Record<string, (argument: unknown, context: RequestContext<unknown>) => unknown>>;
  readonly messages: Readonly<Record<string, (payload: unknown) => void>>;
  readonly close?: () => Promise<void>;
}

type Send = (message: FromThread, transfer?: TransferList) => void;

class ServedPort {
  readonly #port: MessagePort;
  readonly #service: UntypedService;
  readonly #send: Send;
  readonly #aborts = new Map<number, AbortController>();

  constructor(port: MessagePort, service: UntypedService) {
    this.#port = port;
    this.#service = service;
    this.#send = sender(port);
    port.on('message', (message: ToThread) => {
      this.#receive(message);
    });
  }

  #receive(message: ToThread): void {
    switch (message.kind) {
      case 'request':
        void this.#answer(message.id, message.name, message.argument);
        return;
      case 'abort':
        this.#aborts.get(message.id)?.abort();
        return;
      case 'message':
        handlerOf(this.#service.messages, message.name)(message.payload);
        return;
      case 'close':
        this.#close();
    }
  }

  async #answer(id: number, name: string, argument: unknown): Promise<void> {
    const abort = new AbortController();
    this.#aborts.set(id, abort);
    const progress = (payload: unknown, transfer?: TransferList): void => {
      this.#send({ kind: 'progress', id, payload }, transfer);
    };
    try {
      const result = await handlerOf(this.#service.requests, name)(argument, { signal: abort.signal, progress });
      this.#send({ kind: 'result', id, result });
    } catch (error) {
      this.#send({ kind: 'failed', id, error: toErrorData(error) });
    } finally {
      this.#aborts.delete(id);
    }
  }

  #close(): void {
    const closed = this.#service.close?.() ?? Promise.resolve();
    closed.then(
      () => {
        this.#port.close();
      },
      (error: unknown) => {
        // Thrown outside of the promise, so that it ends the thread with the reason.
        setImmediate(() => {
          throw ExpertmeshError.from(error);
        });
      },
    );
  }
}

function sender(port: MessagePort): Send {
  return (message, transfer = []) => {
    port.postMessage(message, transfer);
  };
}

function handlerOf<H>(handlers: Readonly<Record<string, H>>, name: string): H {
  const handler = handlers[name];
  if (handler === undefined) throw new ExpertmeshError('internal', `this thread serves nothing named '${name}'`);
  return handler;
}
