import { timingSafeEqual } from 'node:crypto';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ApiKey, findKey, hashOfKey } from './api-key.js';
import { type Caller } from './caller.js';
import { KeyAccount } from './key-account.js';

export interface AccessOptions {
  /** Absent: everybody may use the model. */
  readonly keys?: readonly ApiKey[] | undefined;
  /** Absent: everybody who reaches the port may administrate. */
  readonly adminKey?: string | undefined;
  readonly clock: Clock;
}

/** Who may use the model, and who may administrate. */
export class AccessControl {
  readonly #clock: Clock;
  readonly #adminKeyHash: Buffer | undefined;
  readonly #accounts = new Map<string, KeyAccount>();
  #keys: readonly ApiKey[] | undefined;

  constructor({ keys, adminKey, clock }: AccessOptions) {
    this.#clock = clock;
    this.#adminKeyHash = adminKey === undefined ? undefined : hashOfKey(adminKey);
    if (keys !== undefined) this.setKeys(keys);
  }

  /** Requests that run go on; those of keys that are no longer there are refused from now on. */
  setKeys(keys: readonly ApiKey[]): void {
    this.#keys = keys;
    const names = new Set(keys.map(({ name }) => name));
    for (const name of this.#accounts.keys()) if (!names.has(name)) this.#accounts.delete(name);
    for (const { name, limits } of keys) {
      const account = this.#accounts.get(name) ?? new KeyAccount(name);
      account.setLimits(limits, this.#clock.nowMs());
      this.#accounts.set(name, account);
    }
  }

  /** @throws ExpertmeshError `unauthenticated` where keys are asked for and this is none of them. */
  callerOf(presented: string | undefined): Caller {
    const used = { promptTokens: 0, completionTokens: 0 };
    if (this.#keys === undefined) return used;
    if (presented === undefined)
      throw new ExpertmeshError(
        'unauthenticated',
        'This server asks for a key: send it as "Authorization: Bearer KEY"',
      );
    const key = findKey(this.#keys, presented);
    const account = key && this.#accounts.get(key.name);
    if (account === undefined) throw new ExpertmeshError('unauthenticated', 'The key that was sent is not known here');
    return { ...used, account };
  }

  /** @throws ExpertmeshError `unauthenticated` where there is an admin key and this is not it. */
  requireAdmin(presented: string | undefined): void {
    if (this.#adminKeyHash === undefined) return;
    if (presented !== undefined && timingSafeEqual(this.#adminKeyHash, hashOfKey(presented))) return;
    const message = 'This asks for the admin key: send it as "Authorization: Bearer KEY"';
    throw new ExpertmeshError('unauthenticated', message);
  }
}
