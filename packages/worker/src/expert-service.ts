import { expertService } from '@expertmesh/shared/rpc/services';
import { type BoundService } from '@expertmesh/shared/rpc/server';
import { type CallExecutor } from './call-executor.js';
import { decodeIncomingCall, type IncomingCall } from './incoming-call.js';

export interface ExpertServiceHost {
  readonly service: BoundService;
  /** Ends the open streams, whose calls must all be answered by then. */
  endStreams(): void;
}

/** What of a stream is used here; the rest of it is grpc-js's. */
export interface DispatchStream {
  readonly writableEnded: boolean;
  write(answer: Buffer): boolean;
  end(): void;
  pause(): void;
  resume(): void;
  on(event: 'data', listener: (incoming: IncomingCall) => void): void;
  on(event: 'end' | 'drain' | 'cancelled', listener: () => void): void;
}

// As the shared definition, but a wrong call is read as a value, and answers are encoded already: they are views of memory that
// the next batch uses again, and the stream may keep what is written for a while.
const dispatch = {
  ...expertService.dispatch,
  requestDeserialize: decodeIncomingCall,
  responseSerialize: (answer: Buffer) => answer,
};

/** `expertmesh.v1.ExpertService`. */
export function createExpertService(executor: CallExecutor): ExpertServiceHost {
  const streams = new Set<DispatchStream>();
  const handle = (stream: DispatchStream): void => {
    streams.add(stream);
    serveStream(stream, executor, () => streams.delete(stream));
  };
  return {
    service: { definition: { dispatch }, handlers: { dispatch: handle } },
    endStreams: () => {
      for (const stream of streams) stream.end();
    },
  };
}

/** Submits what comes and writes the answers. A peer that does not read its answers is not read from either. */
export function serveStream(
  stream: DispatchStream,
  executor: Pick<CallExecutor, 'submit' | 'forget'>,
  onClosed: () => void,
): void {
  let numUnanswered = 0;
  let hasEnded = false;
  const endIfDone = (): void => {
    if (hasEnded && numUnanswered === 0) stream.end();
  };
  stream.on('data', (incoming) => {
    numUnanswered += 1;
    executor.submit(incoming, stream, (answer) => {
      numUnanswered -= 1;
      // It has ended already when its peer is gone, or when the worker is closing.
      if (!stream.writableEnded && !stream.write(answer)) stream.pause();
      endIfDone();
    });
  });
  stream.on('drain', () => {
    stream.resume();
  });
  stream.on('end', () => {
    hasEnded = true;
    endIfDone();
  });
  // Comes at the end of every stream, whatever ended it.
  stream.on('cancelled', () => {
    executor.forget(stream);
    onClosed();
  });
}
