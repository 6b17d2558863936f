import { type DispatchAnswer, type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { bindService, type RpcServer, startServer } from '@expertmesh/shared/rpc/server';
import { expertService } from '@expertmesh/shared/rpc/services';

/** What the server does with a call: write answers, now or later, or break the stream. */
export type Behaviour = (call: DispatchCall, answer: DispatchAnswer, stream: AnswerStream) => void;

export interface AnswerStream {
  write(answer: DispatchAnswer): void;
  /** Ends the stream with this error. */
  fail(details: string): void;
}

/** Expert `expertId` of a row of the simple model: another affine function for each expert. */
export function simpleExpert(value: number, expertId: number): number {
  return value * (1 + expertId / 8) + expertId;
}

/**
 * A worker's data plane for tests: real gRPC, with `simpleExpert` in place of a model. It holds every expert of every
 * layer, so that what it is asked decides what it computes. fp32 only.
 */
export class SimpleExpertServer {
  readonly calls: DispatchCall[] = [];
  behaviour: Behaviour = (_, answer, stream) => {
    stream.write(answer);
  };
  readonly #server: RpcServer;

  private constructor(server: RpcServer) {
    this.#server = server;
  }

  static async start(port = 0): Promise<SimpleExpertServer> {
    const service = bindService(expertService, {
      dispatch: (stream) => {
        stream.on('data', (call: DispatchCall) => {
          started.calls.push(call);
          const answers: AnswerStream = {
            write: (answer) => stream.write(answer),
            fail: (details) => stream.emit('error', { code: 13, details }),
          };
          started.behaviour(call, computeSimply(call), answers);
        });
        stream.on('end', () => {
          stream.end();
        });
      },
    });
    const server = await startServer({ host: '127.0.0.1', port, portFlag: '--port', services: [service] });
    const started = new SimpleExpertServer(server);
    return started;
  }

  get port(): number {
    return this.#server.port;
  }

  get address(): string {
    return `127.0.0.1:${String(this.#server.port)}`;
  }

  /** Breaks all connections. */
  close(): Promise<void> {
    return this.#server.close(0);
  }
}

/** Answers at once, with something changed. */
export function answering(change: (answer: DispatchAnswer) => DispatchAnswer): Behaviour {
  return (_, answer, stream) => {
    stream.write(change(answer));
  };
}

/**
 * From now on the server leaves its last call unanswered until `answer` is called; `arrived` resolves with the first
 * one.
 */
export function holdCalls(server: SimpleExpertServer): {
  readonly arrived: Promise<void>;
  readonly answer: () => void;
} {
  let answerLast = (): void => undefined;
  let onArrival = (): void => undefined;
  const arrived = new Promise<void>((resolve) => (onArrival = resolve));
  server.behaviour = (_, ready, stream) => {
    answerLast = () => {
      stream.write(ready);
    };
    onArrival();
  };
  const answer = (): void => {
    answerLast();
  };
  return { arrived, answer };
}

/** Sums per row over its pairs, in their order, in fp32. */
function computeSimply(call: DispatchCall): DispatchAnswer {
  const { numRows, hiddenSize, rowOffsets, expertIds, routingWeights } = call;
  const rows = new Float32Array(numRows * hiddenSize);
  for (let row = 0; row < numRows; row++)
    for (let pair = rowOffsets[row] ?? 0; pair < (rowOffsets[row + 1] ?? 0); pair++)
      for (let index = row * hiddenSize; index < (row + 1) * hiddenSize; index++)
        rows[index] =
          (rows[index] ?? 0) + (routingWeights[pair] ?? 0) * simpleExpert(call.rows[index] ?? 0, expertIds[pair] ?? 0);
  return {
    callId: call.callId,
    layerIndex: call.layerIndex,
    placementVersion: call.placementVersion,
    numRows,
    hiddenSize,
    rowDtype: 'fp32',
    numPairs: expertIds.length,
    error: undefined,
    queueUs: 0,
    computeUs: 0,
    numCallsTogether: 1,
    rows,
  };
}
