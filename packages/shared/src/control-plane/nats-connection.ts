import { connect } from 'nats';
import { ExpertmeshError } from '../errors/expertmesh-error.js';

export interface NatsServer {
  readonly version: string;
  /** Whether the server keeps state (JetStream), which a control plane over NATS needs. */
  readonly hasJetStream: boolean;
}

/**
 * Connects once, asks the server who it is, and disconnects.
 *
 * @throws ExpertmeshError `unavailable` when no server answers within timeoutMs.
 */
export async function probeNats(url: string, timeoutMs: number): Promise<NatsServer> {
  try {
    const connection = await connect({ servers: url, timeout: timeoutMs, reconnect: false, name: 'expertmesh' });
    try {
      return { version: connection.info?.version ?? 'unknown', hasJetStream: connection.info?.jetstream === true };
    } finally {
      await connection.close();
    }
  } catch (cause) {
    const reason = ExpertmeshError.from(cause).message;
    throw new ExpertmeshError('unavailable', `no NATS server answers at ${url} (${reason})`, { cause });
  }
}
