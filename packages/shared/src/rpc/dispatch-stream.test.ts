import { expect, it } from 'vitest';
import { RpcClient } from './client.js';
import { type DispatchAnswer, type DispatchCall } from './dispatch-message.js';
import { bindService, startServer } from './server.js';
import { expertService } from './services.js';

const CLOSE_DEADLINE_MS = 1000;

const makeCall = (callId: number, numRows: number, hiddenSize: number): DispatchCall => ({
  callId,
  layerIndex: 3,
  placementVersion: 300,
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
  const service = bindService(expertService, {
    dispatch: (stream) => {
      stream.on('data', (call: DispatchCall) => {
        receivedCalls.push(call);
        stream.write(answerTo(call));
      });
      stream.on('end', () => {
        stream.end();
      });
    },
  });
  const server = await startServer({ host: '127.0.0.1', port: 0, portFlag: '--data-port', services: [service] });
  const client = new RpcClient(`127.0.0.1:${String(server.port)}`, 'server');
  // From messages in Node's shared pool to ones of many HTTP/2 frames; odd call ids change the length of the header.
  const calls = [1, 8, 16, 64, 500, 2048].flatMap((hiddenSize, index) =>
    [1, 5, 64].map((numRows) => makeCall(7 ** index * numRows, numRows, hiddenSize)),
  );
  try {
    const stream = client.bidi(expertService.dispatch);
    for (const call of calls) stream.write(call);
    stream.end();
    const answers: DispatchAnswer[] = [];
    for await (const answer of stream) answers.push(answer as DispatchAnswer);

    expect(receivedCalls).toEqual(calls);
    for (const { rowOffsets, expertIds, routingWeights, rows } of receivedCalls)
      for (const tensor of [rowOffsets, expertIds, routingWeights]) expect(tensor.buffer).toBe(rows.buffer);
    expect(answers).toEqual(calls.map(answerTo));
    // A copy would lie alone, at the start of a buffer of its own.
    for (const { rows } of answers) expect(rows.byteOffset).toBeGreaterThan(0);
  } finally {
    client.close();
    await server.close(CLOSE_DEADLINE_MS);
  }
});
