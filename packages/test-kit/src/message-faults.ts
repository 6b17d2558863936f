import {
  decodeDispatchAnswer,
  decodeDispatchCall,
  encodeDispatchAnswer,
  encodeDispatchCall,
} from '@expertmesh/shared/rpc/dispatch-codec';
import { type DispatchAnswer, type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { type ChangeMessage } from './dispatch-proxy.js';

/** Flips one bit anywhere in a share of the messages; those that are shorter than `minBytes` go on as they are. */
export function flippingBits(share: number, random: () => number, onFlip: () => void, minBytes = 0): ChangeMessage {
  return (message) => {
    if (message.byteLength < minBytes || random() >= share) return [message];
    const flipped = Buffer.from(message);
    const index = Math.floor(random() * flipped.byteLength);
    flipped[index] = (flipped[index] ?? 0) ^ (1 << Math.floor(random() * 8));
    onFlip();
    return [flipped];
  };
}

/** Says something else, under a checksum that is right: what a wire cannot do and a broken worker can. */
export function rewritingAnswers(change: (answer: DispatchAnswer) => DispatchAnswer): ChangeMessage {
  return (message) => [encodeDispatchAnswer(change(decodeDispatchAnswer(message)))];
}

export function rewritingCalls(change: (call: DispatchCall) => DispatchCall): ChangeMessage {
  return (message) => [encodeDispatchCall(change(decodeDispatchCall(message)))];
}
