import { hash } from 'node:crypto';
import { BLOCK_TOKENS } from '@expertmesh/kernels/kv-layout';

/**
 * Names a block by all tokens up to its end: 128 bits of SHA-256 in hexadecimal. Nobody can find two prefixes of one
 * name, so equal names are taken for equal tokens.
 */
export type PrefixHash = string;

/** What only requests of equal scope share. */
export interface PrefixScope {
  readonly tenant?: string | undefined;
  readonly cacheSalt?: string | undefined;
}

const HASH_BYTES = 16;
const HASH_CHARS = 2 * HASH_BYTES;

/**
 * The names of a sequence's full blocks, each a hash of its tokens and of the name before it; the first follows the
 * scope. They are computed when they are first asked for.
 */
export class PrefixChain {
  readonly #root: PrefixHash;
  readonly #hashes: PrefixHash[];

  constructor(root: PrefixHash, hashes: readonly PrefixHash[] = []) {
    this.#root = root;
    this.#hashes = [...hashes];
  }

  /** @param tokenIds of the whole sequence; those of full blocks never change. */
  at(blockIndex: number, tokenIds: readonly number[]): PrefixHash {
    for (let index = this.#hashes.length; index <= blockIndex; index++)
      this.#hashes.push(hashOfBlock(this.#hashes[index - 1] ?? this.#root, tokenIds, index * BLOCK_TOKENS));
    return this.#hashes[blockIndex] ?? this.#root;
  }

  /** For an answer that goes its own way from here. */
  fork(): PrefixChain {
    return new PrefixChain(this.#root, this.#hashes);
  }
}

/** What the first block of a scope follows. */
export function rootOfScope({ tenant, cacheSalt }: PrefixScope): PrefixHash {
  return hash('sha256', JSON.stringify([tenant ?? null, cacheSalt ?? null]), 'hex').slice(0, HASH_CHARS);
}

// One buffer for all calls: each has done with it when it returns.
const bytes = Buffer.alloc(HASH_BYTES + 4 * BLOCK_TOKENS);

function hashOfBlock(parent: PrefixHash, tokenIds: readonly number[], firstIndex: number): PrefixHash {
  bytes.write(parent, 0, 'hex');
  for (let offset = 0; offset < BLOCK_TOKENS; offset++)
    bytes.writeInt32LE(tokenIds[firstIndex + offset] ?? -1, HASH_BYTES + 4 * offset);
  return hash('sha256', bytes, 'hex').slice(0, HASH_CHARS);
}
