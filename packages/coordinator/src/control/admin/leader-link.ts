import { ExpertmeshError, isAway } from '@expertmesh/shared/errors/expertmesh-error';
import { keyHeaders } from '@expertmesh/shared/rpc/client';
import { type OpenClient, type RpcConnection } from '@expertmesh/shared/rpc/openers';

/** The header of a call that one coordinator passes on to another: who gets it there passes it on to nobody. */
export const PASSED_ON_HEADER = 'expertmesh-passed-on-by';

/** The connection to whichever coordinator leads: one at a time, made when a call needs it. */
export class LeaderLink {
  readonly #adminKey: string | undefined;
  readonly #openClient: OpenClient;
  #client: RpcConnection | undefined;
  #address: string | undefined;

  /** @param adminKey that the coordinators of a cluster share */
  constructor(adminKey: string | undefined, openClient: OpenClient) {
    this.#adminKey = adminKey;
    this.#openClient = openClient;
  }

  to(address: string): RpcConnection {
    if (this.#client !== undefined && this.#address === address) return this.#client;
    this.#client?.close();
    this.#address = address;
    const headers = keyHeaders(this.#adminKey);
    this.#client = this.#openClient({ address, peer: `the leader at ${address}`, role: 'coordinator', headers });
    return this.#client;
  }

  /**
   * After a failure the next call gets a new connection, as a channel can hang. Calls that run go on to their end.
   *
   * @returns the failure.
   */
  failed(thrown: unknown): ExpertmeshError {
    const error = ExpertmeshError.from(thrown);
    if (isAway(error)) this.close();
    return error;
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }
}
