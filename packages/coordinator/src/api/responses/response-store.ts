import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { RequestError } from '../../generation/request-error.js';
import { type ConversationItem } from './input-items.js';
import { type ResponseObject } from './response-object.js';

/** A response that may be fetched and continued. */
export interface StoredResponse {
  readonly response: ResponseObject;
  /** Who may see it: the name of an API key, or nothing where there are no keys. */
  readonly owner: string | undefined;
  /** The response that it continues. */
  readonly previousId: string | undefined;
  /** What it adds to that conversation: the input, then the output. */
  readonly items: readonly ConversationItem[];
}

export interface ResponseStoreLimits {
  readonly maxResponses: number;
  /** Of all responses and items as JSON. */
  readonly maxBytes: number;
}

/**
 * Responses in memory, for `previous_response_id`, `item_reference` and GET. The least recently used are dropped when
 * there are too many; a conversation counts as used as a whole, and its end is dropped before its beginning.
 */
export class ResponseStore {
  readonly #limits: ResponseStoreLimits;
  /** Least recently used first. */
  readonly #entries = new Map<string, { readonly stored: StoredResponse; readonly sizeBytes: number }>();
  #sizeBytes = 0;

  constructor(limits: ResponseStoreLimits) {
    this.#limits = limits;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Keeps a response, unless it alone is larger than all that may be kept. */
  put(stored: StoredResponse): void {
    const sizeBytes = Buffer.byteLength(JSON.stringify([stored.response, stored.items]));
    if (sizeBytes > this.#limits.maxBytes) return;
    this.#entries.set(stored.response.id, { stored, sizeBytes });
    this.#sizeBytes += sizeBytes;
    this.#dropSurplus();
  }

  /** @throws ExpertmeshError `not_found`. */
  get(id: string, owner: string | undefined): StoredResponse {
    const stored = this.#find(id, owner);
    if (stored === undefined) throw new ExpertmeshError('not_found', `${notHeld(id)}.`);
    return stored;
  }

  /** @throws ExpertmeshError `not_found`. */
  delete(id: string, owner: string | undefined): void {
    this.get(id, owner);
    this.#drop(id);
  }

  /**
   * All items up to and with a response, in order.
   *
   * @throws RequestError naming `previous_response_id` when it, or one that it continues, is not held.
   */
  conversation(id: string, owner: string | undefined): readonly ConversationItem[] {
    const parts: (readonly ConversationItem[])[] = [];
    for (let nextId: string | undefined = id; nextId !== undefined;) {
      const stored = this.#find(nextId, owner);
      if (stored === undefined) throw lost(id, nextId);
      parts.unshift(stored.items);
      nextId = stored.previousId;
    }
    return parts.flat();
  }

  /** Items of any held responses, by their ids: those that are found, all in one pass. */
  items(itemIds: ReadonlySet<string>, owner: string | undefined): Map<string, ConversationItem> {
    const found = new Map<string, ConversationItem>();
    if (itemIds.size === 0) return found;
    for (const { stored } of this.#entries.values()) {
      if (stored.owner !== owner) continue;
      for (const item of stored.items)
        if (item.id !== undefined && itemIds.has(item.id) && !found.has(item.id)) found.set(item.id, item);
    }
    return found;
  }

  #find(id: string, owner: string | undefined): StoredResponse | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.stored.owner !== owner) return undefined;
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    return entry.stored;
  }

  #dropSurplus(): void {
    const { maxResponses, maxBytes } = this.#limits;
    for (const id of this.#entries.keys()) {
      if (this.#entries.size <= maxResponses && this.#sizeBytes <= maxBytes) return;
      this.#drop(id);
    }
  }

  #drop(id: string): void {
    this.#sizeBytes -= this.#entries.get(id)?.sizeBytes ?? 0;
    this.#entries.delete(id);
  }
}

const notHeld = (id: string): string =>
  `No response ${id} is held: it was never stored, was deleted, or was dropped for newer ones`;

function lost(id: string, missingId: string): RequestError {
  const chain = id === missingId ? '' : `, which ${id} continues`;
  const message = `${notHeld(missingId)}${chain}. Send the conversation as input instead of previous_response_id`;
  return new RequestError('invalid_value', message, 'previous_response_id');
}
