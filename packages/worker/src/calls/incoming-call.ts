import { ExpertmeshError, toErrorData, type ErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { DamagedMessageError } from '@expertmesh/shared/rpc/dispatch-checksum';
import { decodeDispatchCall } from '@expertmesh/shared/rpc/dispatch-codec';
import { type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { WIRE_VARINT, WireReader } from '@expertmesh/shared/rpc/protobuf-wire';

/** What an answer repeats of its call. */
export type CallIdentity = Pick<DispatchCall, 'callId' | 'layerIndex' | 'placementVersion'>;

/** A message of the stream: a call, or one that can be read but whose fields contradict each other. */
export type IncomingCall =
  /** The call's tensors are views: it holds the memory of the whole message, `sizeBytes`. */
  | { readonly kind: 'call'; readonly call: DispatchCall; readonly sizeBytes: number }
  | { readonly kind: 'refused'; readonly identity: CallIdentity; readonly error: ErrorData };

/** Of a damaged call nothing is believed. */
const UNKNOWN = { layerIndex: 0, placementVersion: 0 };

/**
 * Reads a DispatchRequest so that a wrong one can be answered by its call id and the other calls of the stream go on.
 *
 * @throws ExpertmeshError `data_loss` for bytes that are no such message; that ends the stream.
 */
export function decodeIncomingCall(message: Uint8Array): IncomingCall {
  try {
    return { kind: 'call', call: decodeDispatchCall(message), sizeBytes: message.byteLength };
  } catch (thrown) {
    const error = ExpertmeshError.from(thrown);
    if (error instanceof DamagedMessageError)
      return { kind: 'refused', identity: { callId: error.callId, ...UNKNOWN }, error: toErrorData(error) };
    if (error.code === 'data_loss') throw error;
    return { kind: 'refused', identity: identityIn(message), error: toErrorData(error) };
  }
}

/** Of a message whose tensors are wrong: nothing is allocated for those. */
function identityIn(message: Uint8Array): CallIdentity {
  const numbers = [0, 0, 0, 0];
  const reader = new WireReader(message);
  while (reader.next())
    if (reader.wireType === WIRE_VARINT && reader.fieldNumber < numbers.length)
      numbers[reader.fieldNumber] = reader.uint();
    else reader.skip();
  const [, callId = 0, layerIndex = 0, placementVersion = 0] = numbers;
  return { callId, layerIndex, placementVersion };
}
