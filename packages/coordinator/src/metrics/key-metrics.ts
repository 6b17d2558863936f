import { Counter, type Registry } from 'prom-client';

/** Tokens a key; as many series as there are names in the key file. */
export class KeyMetrics {
  readonly #tokens: Counter<'key' | 'kind'>;

  constructor(registry: Registry) {
    this.#tokens = new Counter({
      name: 'expertmesh:key_tokens_total',
      help: 'Tokens computed for an API key, by kind: prompt or generation.',
      labelNames: ['key', 'kind'],
      registers: [registry],
    });
  }

  count(key: string, kind: 'prompt' | 'generation', numTokens: number): void {
    this.#tokens.inc({ key, kind }, numTokens);
  }
}
