import { ExpertmeshError, toErrorData, type ErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { decodeCallIdentity, decodeDispatchCall } from '@expertmesh/shared/rpc/dispatch-codec';
import { type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';

/** What an answer repeats of its call. */
export type CallIdentity = Pick<DispatchCall, 'callId' | 'layerIndex' | 'placementVersion'>;

/** A message of the stream: a call, or one that can be read but whose fields contradict each other. */
export type IncomingCall =
  /** The call's tensors are views: it holds the memory of the whole message, `sizeBytes`. */
  | { readonly kind: 'call'; readonly call: DispatchCall; readonly sizeBytes: number }
  | { readonly kind: 'refused'; readonly identity: CallIdentity; readonly error: ErrorData };

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
    if (error.code === 'data_loss') throw error;
    return { kind: 'refused', identity: decodeCallIdentity(message), error: toErrorData(error) };
  }
}
