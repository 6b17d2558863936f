import { DEFAULT_PORTS } from '@expertmesh/shared/config/default-ports';
import { integer, type OptionValue } from '@expertmesh/shared/config/option-value';
import { EXIT_DONE, EXIT_FAILED } from '@expertmesh/shared/process/exit-code';
import { Command } from 'commander';
import { z } from 'zod';
import { loadReport } from '../bench/load-report.js';
import { runBench } from '../bench/run-bench.js';
import { parseUrl } from './parse-url.js';
import { checkedOption } from '../options/checked-option.js';

interface BenchFlags {
  readonly url: string;
  readonly model?: string;
  readonly concurrency: readonly number[];
  readonly requests?: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly seed: number;
  readonly json?: true;
}

const MAX_CONCURRENCY = 4096;
const MAX_REQUESTS = 100_000;
const MAX_TOKENS = 2 ** 24;

export function benchCommand(): Command {
  return new Command('bench')
    .description('Put load on a running server and print throughput and latencies. Ctrl-C prints what there is.')
    .option('--url <url>', 'The server.', parseUrl, `http://127.0.0.1:${String(DEFAULT_PORTS.http)}`)
    .option('--model <id>', 'The model. (default: the one that the server serves)')
    .addOption(
      checkedOption('--concurrency', 'Requests at a time; one load after the other.', concurrencies).default([
        1, 4, 16,
      ]),
    )
    .addOption(
      checkedOption(
        '--requests',
        'Requests of each load. (default: four times its concurrency)',
        integer('<n>', 1, MAX_REQUESTS),
      ),
    )
    .addOption(checkedOption('--prompt-tokens', 'Length of each prompt.', integer('<n>', 1, MAX_TOKENS)).default(256))
    .addOption(checkedOption('--output-tokens', 'Length of each answer.', integer('<n>', 1, MAX_TOKENS)).default(64))
    .addOption(checkedOption('--seed', 'The same seed makes the same requests.', integer('<n>', 0, 2 ** 31)).default(0))
    .option('--json', 'Print JSON.')
    .action(bench);
}

const concurrencies: OptionValue<readonly number[]> = {
  placeholder: '<n,...>',
  accepts: `whole numbers from 1 to ${String(MAX_CONCURRENCY)}, separated by commas`,
  schema: z
    .string()
    .regex(/^\d+(,\d+)*$/)
    .transform((text) => text.split(',').map(Number))
    .pipe(z.array(z.number().min(1).max(MAX_CONCURRENCY))),
};

async function bench(flags: BenchFlags): Promise<void> {
  const interrupt = new AbortController();
  const onSignal = (): void => {
    interrupt.abort();
  };
  // A second Ctrl-C ends the process at once.
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const summaries = await runBench({
      url: flags.url,
      model: flags.model,
      concurrencies: flags.concurrency,
      numRequests: flags.requests,
      numPromptTokens: flags.promptTokens,
      numOutputTokens: flags.outputTokens,
      seed: flags.seed,
      signal: interrupt.signal,
    });
    const json = {
      url: flags.url,
      promptTokens: flags.promptTokens,
      outputTokens: flags.outputTokens,
      seed: flags.seed,
    };
    process.stdout.write(
      flags.json ? `${JSON.stringify({ ...json, loads: summaries }, undefined, 2)}\n` : loadReport(summaries),
    );
    const allAnswered = summaries.every(({ errors }) => errors.length === 0);
    process.exitCode = allAnswered && !interrupt.signal.aborted ? EXIT_DONE : EXIT_FAILED;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
