import { ExpertmeshError, isAway } from '@expertmesh/shared/errors/expertmesh-error';
import { keyHeaders, RpcClient, type SecureTo } from '@expertmesh/shared/rpc/client';
import { systemClock } from '@expertmesh/shared/rpc/clock';
import { type TransportSecurity } from '@expertmesh/shared/transport-security/transport-security';

/** The header of a call that one coordinator passes on to another: who gets it there passes it on to nobody. */
export const PASSED_ON_HEADER = 'expertmesh-passed-on-by';

/** The connection to whichever coordinator leads: one at a time, made when a call needs it. */
export class LeaderLink {
  readonly #adminKey: string | undefined;
  readonly #secure: SecureTo;
  #client: RpcClient | undefined;
  #address: string | undefined;

  /**
   * @param adminKey that the coordinators of a cluster share
   * @param security undefined for plain text
   */
  constructor(adminKey: string | undefined, security: TransportSecurity | undefined) {
    this.#adminKey = adminKey;
    this.#secure = { security, serverRoles: ['coordinator'] };
  }

  to(address: string): RpcClient {
    if (this.#client !== undefined && this.#address === address) return this.#client;
    this.#client?.close();
    this.#address = address;
    const headers = keyHeaders(this.#adminKey);
    this.#client = new RpcClient(address, `the leader at ${address}`, systemClock, headers, this.#secure);
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
