import { z } from 'zod';

/** The roles of a cluster's processes. */
export type Role = 'coordinator' | 'worker';

/** The ports that a role listens on: the real ones, also where 0 (any free port) was asked for. */
export interface ListeningPorts {
  readonly coordinator: { readonly httpPort: number; readonly grpcPort: number };
  readonly worker: { readonly dataPort: number; readonly controlPort: number };
}

/** What a child process tells the parent that forked it, once, when its ports are open. */
export type ListeningMessage<R extends Role> = { readonly type: 'listening'; readonly role: R } & ListeningPorts[R];

/** Does nothing in a process that was not forked. */
export function reportListening<R extends Role>(message: ListeningMessage<R>): void {
  process.send?.(message);
}

/** The parent's side: undefined for any other message. */
export function parseListening<R extends Role>(message: unknown, role: R): ListeningPorts[R] | undefined {
  const envelope = envelopeSchema.safeParse(message);
  return envelope.data?.role === role ? portSchemas[role].safeParse(message).data : undefined;
}

const envelopeSchema = z.object({ type: z.literal('listening'), role: z.string() });
const port = z.number().int().min(1).max(65_535);
const portSchemas: { readonly [R in Role]: z.ZodType<ListeningPorts[R]> } = {
  coordinator: z.object({ httpPort: port, grpcPort: port }),
  worker: z.object({ dataPort: port, controlPort: port }),
};
