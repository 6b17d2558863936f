import { ExpertmeshError, isAway } from '@expertmesh/shared/errors/expertmesh-error';
import { keyHeaders, RpcClient } from '@expertmesh/shared/rpc/client';
import { systemClock } from '@expertmesh/shared/rpc/clock';

/** The header of a call that one coordinator passes on to another: who gets it there passes it on to nobody. */
export const PASSED_ON_HEADER = 'expertmesh-passed-on-by';

/** The connection to whichever coordinator leads: one at a time, made when a call needs it. */
export class LeaderLink {
  readonly #adminKey: string | undefined;
  #client: RpcClient | undefined;
  #address: string | undefined;

  /** @param adminKey that the coordinators of a cluster share */
  constructor(adminKey: string | undefined) {
    this.#adminKey = adminKey;
  }

  to(address: string): RpcClient {
    if (this.#client !== undefined && this.#address === address) return this.#client;
    this.#client?.close();
    this.#address = address;
    this.#client = new RpcClient(address, `the leader at ${address}`, systemClock, keyHeaders(this.#adminKey));
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
