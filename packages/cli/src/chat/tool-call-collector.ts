import { z } from 'zod';
import { type ToolCall } from './chat-messages.js';

/** The calls in a chunk of a streamed answer: a piece of each. */
export const toolCallDeltas = z
  .array(
    z.object({
      index: z.number(),
      id: z.string().nullish(),
      function: z.object({ name: z.string().nullish(), arguments: z.string().nullish() }),
    }),
  )
  .nullish();

type ToolCallDelta = NonNullable<z.infer<typeof toolCallDeltas>>[number];

/** Puts streamed calls together. */
export class ToolCallCollector {
  #calls = new Map<number, ToolCall>();

  get hasAny(): boolean {
    return this.#calls.size > 0;
  }

  push(deltas: readonly ToolCallDelta[]): void {
    for (const { index, id, function: piece } of deltas) {
      const known = this.#calls.get(index);
      const name = known?.function.name ?? piece.name ?? '';
      const args = (known?.function.arguments ?? '') + (piece.arguments ?? '');
      this.#calls.set(index, {
        id: known?.id ?? id ?? `call_${String(index)}`,
        type: 'function',
        function: { name, arguments: args },
      });
    }
  }

  /** All calls, in their order. */
  take(): readonly ToolCall[] {
    const calls = [...this.#calls].sort(([a], [b]) => a - b).map(([, call]) => call);
    this.#calls = new Map();
    return calls;
  }
}
