import { expect, it } from 'vitest';
import { until } from '@expertmesh/test-kit/until';
import { decodeDispatchAnswer, decodeDispatchCall, frameDispatchAnswer, frameDispatchCall } from './dispatch-codec.js';
import { type DispatchAnswer, type DispatchCall } from './dispatch-message.js';
import { GrpcStreamClient } from './grpc-stream/grpc-stream-client.js';
import { type ServedStream, type ServedStreamEvents, startGrpcStreamServer } from './grpc-stream/grpc-stream-server.js';
import { expertService } from './services.js';

const makeCall = (callId: number, numRows: number, hiddenSize: number): DispatchCall => ({
  callId,
  layerIndex: 3,
  placementVersion: 300,
  storeId: '0123456789abcdef',
  numRows,
  hiddenSize,
  rowDtype: 'fp32',
  rowOffsets: Uint32Array.from({ length: numRows + 1 }, (_, row) => 2 * row),
  expertIds: Uint32Array.from({ length: 2 * numRows }, (_, pair) => pair % 128),
  routingWeights: Float32Array.from({ length: 2 * numRows }, (_, pair) => pair / 7),
  rows: Float32Array.from({ length: numRows * hiddenSize }, (_, index) => index),
});

const answerTo = (call: DispatchCall): DispatchAnswer => ({
  callId: call.callId,
  layerIndex: call.layerIndex,
  placementVersion: call.placementVersion,
  numRows: call.numRows,
  hiddenSize: call.hiddenSize,
  rowDtype: call.rowDtype,
  numPairs: call.expertIds.length,
  error: undefined,
  queueUs: 1,
  computeUs: 2,
  numCallsTogether: 1,
  rows: call.rows,
});

it('carries tensors of every size as views of the received message, both ways', async () => {
  const receivedCalls: DispatchCall[] = [];
  const accept = (stream: ServedStream): ServedStreamEvents => ({
    onMessage: (message) => {
      const call = decodeDispatchCall(message);
      receivedCalls.push(call);
      stream.send(frameDispatchAnswer(answerTo(call)));
    },
    onEnd: () => undefined,
    onDrain: () => undefined,
    onClosed: () => undefined,
  });
  const { dispatch: method } = expertService;
  const onError = (error: Error): never => {
    throw error;
  };
  const options = { host: '127.0.0.1', port: 0, portFlag: '--data-port', method, accept, onError };
  const server = await startGrpcStreamServer(options);
  // From messages that share memory to ones of many HTTP/2 frames; odd call ids change the length of the header.
  const calls = [1, 8, 16, 64, 500, 2048].flatMap((hiddenSize, index) =>
    [1, 5, 64].map((numRows) => makeCall(7 ** index * numRows, numRows, hiddenSize)),
  );
  const answers: DispatchAnswer[] = [];
  const client = new GrpcStreamClient(`127.0.0.1:${String(server.port)}`, method, {
    onReady: () => undefined,
    onMessage: (message) => answers.push(decodeDispatchAnswer(message)),
    onEnd: () => undefined,
  });
  try {
    for (const call of calls) client.send(frameDispatchCall(call));
    await until(() => answers.length === calls.length);

    expect(receivedCalls).toEqual(calls);
    for (const { rowOffsets, expertIds, routingWeights, rows } of receivedCalls)
      for (const tensor of [rowOffsets, expertIds, routingWeights]) expect(tensor.buffer).toBe(rows.buffer);
    expect(answers).toEqual(calls.map(answerTo));
    // A copy would lie alone, at the start of a buffer of its own.
    for (const { rows } of answers) expect(rows.byteOffset).toBeGreaterThan(0);
  } finally {
    client.close();
    await server.close(0);
  }
});
