import { fileURLToPath } from 'node:url';
import {
  type ClientDuplexStream,
  credentials,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import {
  decodeDispatchAnswer,
  decodeDispatchCall,
  frameDispatchAnswer,
  frameDispatchCall,
} from '@expertmesh/shared/rpc/dispatch-codec';
import {
  type DispatchAnswer,
  type DispatchCall,
  type RowDtype,
  type WireRows,
} from '@expertmesh/shared/rpc/dispatch-message';
import { GrpcStreamClient } from '@expertmesh/shared/rpc/grpc-stream/grpc-stream-client';
import {
  type ServedStream,
  type ServedStreamEvents,
  startGrpcStreamServer,
} from '@expertmesh/shared/rpc/grpc-stream/grpc-stream-server';
import { expertService } from '@expertmesh/shared/rpc/services';
import { toWireRows } from '@expertmesh/shared/rpc/wire-rows';
import { withChecksums } from '@expertmesh/test-kit/checksummed-definition';
import { afterEach, describe, expect, it } from 'vitest';

/** DispatchRequest and DispatchResponse as a program sees them that loads proto/ at run time. */
interface DynamicCall {
  readonly call_id: number;
  readonly layer_index: number;
  readonly placement_version: string;
  readonly store_id: Buffer;
  readonly num_rows: number;
  readonly hidden_size: number;
  readonly row_dtype: string;
  readonly row_offsets: readonly number[];
  readonly expert_ids: readonly number[];
  readonly routing_weights: readonly number[];
  readonly sum_units: readonly number[];
  readonly row_scales: readonly number[];
  readonly rows: Buffer;
}

interface DynamicAnswer {
  readonly call_id: number;
  readonly layer_index: number;
  readonly placement_version: string;
  readonly num_rows: number;
  readonly hidden_size: number;
  readonly row_dtype: string;
  readonly num_pairs: number;
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly missing_expert_ids: readonly number[];
  } | null;
  readonly queue_us: number;
  readonly compute_us: number;
  readonly num_calls_together: number;
  readonly row_scales: readonly number[];
  readonly rows: Buffer;
}

const protoDir = fileURLToPath(new URL('../../proto', import.meta.url));
const ExpertClient = loadExpertClient();

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const bytesOf = (tensor: WireRows['rows']): Buffer => Buffer.from(tensor.buffer, tensor.byteOffset, tensor.byteLength);

const fp32Call: DispatchCall = {
  callId: 4_000_000_000,
  layerIndex: 93,
  placementVersion: 2 ** 52,
  numRows: 3,
  storeId: '0123456789abcdef',
  hiddenSize: 5,
  rowDtype: 'fp32',
  rowOffsets: Uint32Array.of(0, 2, 2, 3),
  expertIds: Uint32Array.of(127, 0, 300),
  routingWeights: Float32Array.of(0.5, 0.25, -1.5),
  rows: Float32Array.from({ length: 15 }, (_, index) => index / 4 - 1),
};
const fp16Call: DispatchCall = {
  ...fp32Call,
  callId: 1,
  sumUnits: Float32Array.of(2 ** -20, 1, 0.25),
  rowDtype: 'fp16',
  rows: Uint16Array.from(Array(15).keys()),
};
const int8Call: DispatchCall = {
  ...fp32Call,
  callId: 2,
  ...toWireRows('int8', fp32Call.rows as Float32Array, 5),
};
const calls = [fp32Call, fp16Call, int8Call];

const dtypeName = ({ rowDtype }: Pick<WireRows<RowDtype>, 'rowDtype'>): string => `ROW_DTYPE_${rowDtype.toUpperCase()}`;

const dynamicCall = (call: DispatchCall): DynamicCall => ({
  call_id: call.callId,
  layer_index: call.layerIndex,
  placement_version: String(call.placementVersion),
  store_id: Buffer.from(call.storeId, 'hex'),
  num_rows: call.numRows,
  hidden_size: call.hiddenSize,
  row_dtype: dtypeName(call),
  row_offsets: [...call.rowOffsets],
  expert_ids: [...call.expertIds],
  routing_weights: [...call.routingWeights],
  sum_units: [...(call.sumUnits ?? [])],
  row_scales: [...(call.rowScales ?? [])],
  rows: bytesOf(call.rows),
});

const rowsOf = ({ rowDtype, rows, rowScales }: WireRows): WireRows =>
  rowScales === undefined ? { rowDtype, rows } : { rowDtype, rows, rowScales };

const answerTo = (call: DispatchCall): DispatchAnswer => ({
  callId: call.callId,
  layerIndex: call.layerIndex,
  placementVersion: call.placementVersion,
  numRows: call.numRows,
  hiddenSize: call.hiddenSize,
  numPairs: call.expertIds.length,
  error: undefined,
  queueUs: 12,
  computeUs: 345_678,
  numCallsTogether: 2,
  ...rowsOf(call),
});

const dynamicError = (error: DispatchAnswer['error']): DynamicAnswer['error'] =>
  error === undefined
    ? null
    : { code: error.code, message: error.message, missing_expert_ids: error.missingExpertIds ?? [] };

const dynamicAnswer = (answer: DispatchAnswer): DynamicAnswer => ({
  call_id: answer.callId,
  layer_index: answer.layerIndex,
  placement_version: String(answer.placementVersion),
  num_rows: answer.numRows,
  hidden_size: answer.hiddenSize,
  row_dtype: dtypeName(answer),
  num_pairs: answer.numPairs,
  error: dynamicError(answer.error),
  queue_us: answer.queueUs,
  compute_us: answer.computeUs,
  num_calls_together: answer.numCallsTogether,
  row_scales: [...(answer.rowScales ?? [])],
  rows: bytesOf(answer.rows),
});

/** A frame ends with it. */
const checksumOf = (frame: Buffer): number => frame.readUInt32LE(frame.byteLength - 4);

const failedAnswer: DispatchAnswer = {
  ...answerTo(fp32Call),
  error: { code: 'unavailable', message: 'draining' },
  rows: new Float32Array(0),
};

const refusedAnswer: DispatchAnswer = {
  ...failedAnswer,
  error: { code: 'failed_precondition', message: 'experts 3 and 4 are not here', missingExpertIds: [3, 4] },
};

describe('the Dispatch wire', () => {
  it('lets a grpc-js client that loads proto/ at run time talk to our server', async () => {
    const received: DispatchCall[] = [];
    const replies = [...calls.map(answerTo), failedAnswer, refusedAnswer];
    const accept = (stream: ServedStream): ServedStreamEvents => ({
      onMessage: (message) => received.push(decodeDispatchCall(message)),
      onEnd: () => {
        for (const reply of replies) stream.send(frameDispatchAnswer(reply));
        stream.end();
      },
      onDrain: () => undefined,
      onClosed: () => undefined,
    });
    const { dispatch: method } = expertService;
    const onError = (error: Error): never => {
      throw error;
    };
    const options = { host: '127.0.0.1', port: 0, portFlag: '--port', method, accept, onError };
    const server = await startGrpcStreamServer(options);
    const client = new ExpertClient(`127.0.0.1:${String(server.port)}`, credentials.createInsecure());
    cleanUps.push(
      () => server.close(0),
      () => {
        client.close();
      },
    );
    const stream = openDynamic(client);
    for (const call of calls) stream.write(dynamicCall(call));
    stream.end();

    expect(await collect(stream)).toEqual(
      replies.map((reply) => ({ ...dynamicAnswer(reply), checksum: checksumOf(frameDispatchAnswer(reply)) })),
    );
    expect(received).toEqual(calls);
  });

  it('lets our client talk to a grpc-js server that loads proto/ at run time', async () => {
    const received: DynamicCall[] = [];
    const replies = [...calls.map(answerTo), failedAnswer, refusedAnswer];
    const port = await startDynamicServer((stream) => {
      stream.on('data', (call: DynamicCall) => {
        if (received.push(call) < calls.length) return;
        for (const reply of replies) stream.write(dynamicAnswer(reply));
        stream.end();
      });
    });
    const answers: DispatchAnswer[] = [];
    const end = await new Promise<string>((resolve) => {
      const client = new GrpcStreamClient(`127.0.0.1:${String(port)}`, expertService.dispatch, {
        onReady: () => undefined,
        onMessage: (message) => answers.push(decodeDispatchAnswer(message)),
        onEnd: resolve,
      });
      cleanUps.push(() => {
        client.close();
      });
      for (const call of calls) client.send(frameDispatchCall(call));
    });

    expect(answers).toEqual(replies);
    expect(end).toBe('it has closed the stream');
    expect(received).toEqual(
      calls.map((call) => ({ ...dynamicCall(call), checksum: checksumOf(frameDispatchCall(call)) })),
    );
  });
});

function loadExpertClient(): ServiceClientConstructor {
  const options = { includeDirs: [protoDir], keepCase: true, longs: String, enums: String, defaults: true };
  const root = loadPackageDefinition(withChecksums(loadSync('expertmesh/v1/expert.proto', options)));
  const service = ['expertmesh', 'v1', 'ExpertService'].reduce<unknown>(
    (scope, name) => (scope as Record<string, unknown>)[name],
    root,
  );
  return service as ServiceClientConstructor;
}

type DynamicStream = ClientDuplexStream<DynamicCall, DynamicAnswer>;

function openDynamic(client: InstanceType<ServiceClientConstructor>): DynamicStream {
  const open = client['Dispatch'] as () => DynamicStream;
  return open.call(client);
}

async function startDynamicServer(
  handle: (stream: ServerDuplexStream<DynamicCall, DynamicAnswer>) => void,
): Promise<number> {
  const server = new Server();
  server.addService(ExpertClient.service, { Dispatch: handle });
  cleanUps.push(() => {
    server.forceShutdown();
  });
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}

async function collect(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  const messages: unknown[] = [];
  for await (const message of stream) messages.push(message);
  return messages;
}
