import OpenAI from 'openai';
import { ExpertmeshProcess } from './process.js';
import { tempDir } from './temp-dir.js';

export const DEMO_MODEL = 'qwen3-moe-demo';

/** What GET /admin/v1/stats says, as far as tests look at it. */
export interface AdminStats {
  readonly engine: {
    readonly numRunning: number;
    readonly numWaiting: number;
    readonly kvCacheUsedBytes: number;
    readonly numSteps: number;
    readonly maxBatchSize: number;
    readonly numGenerationTokens: number;
    readonly numDraftedTokens: number;
    readonly numAcceptedTokens: number;
  };
  readonly cluster: {
    readonly workers: readonly {
      readonly phase: string;
      readonly bootId?: string;
      readonly heartbeats: { readonly numSent: number; readonly numMissed: number; readonly maxLatencyMs: number };
    }[];
  };
}

/** A running `expertmesh up`, ready to answer. */
export class Mesh {
  readonly up: ExpertmeshProcess;
  readonly url: string;
  readonly client: OpenAI;

  private constructor(up: ExpertmeshProcess, url: string) {
    this.up = up;
    this.url = url;
    this.client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
  }

  /** Starts `expertmesh up FLAGS` on free ports, with a cache directory of its own unless a flag names one. */
  static async start(flags: readonly string[], timeoutMs?: number): Promise<Mesh> {
    const cache = flags.includes('--cache-dir') ? [] : ['--cache-dir', tempDir()];
    const up = ExpertmeshProcess.start(['up', '--port', '0', '--grpc-port', '0', ...cache, ...flags]);
    await up.until(() => up.output.includes('Ctrl-C'), 'is ready', timeoutMs);
    const url = /at (http:\S+)\/v1/.exec(up.output)?.[1];
    if (url === undefined) throw new Error(`no address in the summary:\n${up.output}`);
    return new Mesh(up, url);
  }

  async stats(): Promise<AdminStats> {
    return (await (await fetch(`${this.url}/admin/v1/stats`)).json()) as AdminStats;
  }

  async isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/health/ready`)).ok;
    } catch {
      // Nobody listens: the coordinator is being started again.
      return false;
    }
  }
}
