/**
 * A coordinator and a worker with the demo model under mixed load, under overload, and with clients that go away.
 *
 *   npm run build && npx tsx test/bench/soak.ts [mixed] [overload] [disconnects]
 */
import { descendantsOf } from '@expertmesh/test-kit/child-pids';
import { DEMO_MODEL, Mesh } from '@expertmesh/test-kit/mesh';
import { pause } from '@expertmesh/test-kit/process';
import { memoryOf } from './harness/own-cluster.js';

const NUM_CLIENTS = 64;
const MIXED_SECONDS = 120;
const OVERLOAD_SECONDS = 60;
const NUM_DISCONNECTS = 500;
const LIMITED = ['--workers', '1', '--max-num-seqs', '16', '--max-waiting-seqs', '16'];

const SCHEMA = {
  type: 'object',
  properties: { answer: { type: 'integer', minimum: 0, maximum: 999 }, unit: { enum: ['apples', 'pears'] } },
  required: ['answer', 'unit'],
  additionalProperties: false,
};
const TOOL = { type: 'function', function: { name: 'answer', parameters: SCHEMA, strict: true } };

const phases: Readonly<Record<string, () => Promise<void>>> = { mixed, overload, disconnects };
const chosen = process.argv.slice(2);
for (const [name, run] of Object.entries(phases)) if (chosen.length === 0 || chosen.includes(name)) await run();

/** Every kind of request that there is, one after the other. */
function requestOf(index: number): { readonly path: string; readonly body: object } {
  const messages = [{ role: 'user', content: `What is ${String(index % 90)} + ${String((index * 7) % 90)}?` }];
  const chat = { model: DEMO_MODEL, messages, max_tokens: 64 };
  const completion = { model: DEMO_MODEL, prompt: 'Sort these numbers: 42, 7, 99, 13. '.repeat(1 + (index % 30)) };
  const kinds = [
    { path: '/v1/chat/completions', body: { ...chat, stream: true } },
    { path: '/v1/chat/completions', body: { ...chat, n: 2, temperature: 0.7 } },
    { path: '/v1/chat/completions', body: { ...chat, response_format: jsonSchema() } },
    { path: '/v1/chat/completions', body: { ...chat, tools: [TOOL], tool_choice: 'required', stream: true } },
    { path: '/v1/chat/completions', body: { ...chat, logprobs: true, top_logprobs: 5 } },
    { path: '/v1/completions', body: { ...completion, max_tokens: 16, logprobs: 2 } },
    { path: '/v1/completions', body: { ...completion, max_tokens: 1, echo: true, logprobs: 1 } },
    { path: '/v1/responses', body: { model: DEMO_MODEL, input: 'What is 2 + 3?', max_output_tokens: 64 } },
    { path: '/v1/messages', body: { ...chat, stream: true } },
  ] as const;
  return kinds[index % kinds.length] ?? kinds[0];
}

function jsonSchema(): object {
  return { type: 'json_schema', json_schema: { name: 'answer', schema: SCHEMA, strict: true } };
}

interface Outcomes {
  numRight: number;
  readonly refused: Map<string, number>;
  readonly wrong: Map<string, number>;
}

async function mixed(): Promise<void> {
  const mesh = await Mesh.start(['--workers', '1']);
  const memory: string[] = [];
  const sampler = setInterval(() => memory.push(residentOf(mesh)), MIXED_SECONDS * 100);
  const outcomes = await loadFor(mesh.url, NUM_CLIENTS, MIXED_SECONDS);
  clearInterval(sampler);
  console.log(`mixed: ${String(NUM_CLIENTS)} clients for ${String(MIXED_SECONDS)} s: ${shown(outcomes)}`);
  console.log(`  resident memory every ${String(MIXED_SECONDS / 10)} s (coordinator, worker): ${memory.join('; ')}`);
  await mesh.up.stop();
}

/** Requests come four times as often as they are answered at most, and do not wait for each other. */
async function overload(): Promise<void> {
  const mesh = await Mesh.start(LIMITED);
  const peak = await loadFor(mesh.url, 16, OVERLOAD_SECONDS / 2);
  const peakPerSecond = peak.numRight / (OVERLOAD_SECONDS / 2);
  const over = await arrivalsFor(mesh.url, 4 * peakPerSecond, OVERLOAD_SECONDS);
  console.log(`overload: 16 clients: ${shown(peak)}, ${peakPerSecond.toFixed(1)} a second`);
  console.log(`  ${(4 * peakPerSecond).toFixed(0)} requests a second: ${shown(over)}`);
  const goodput = over.numRight / OVERLOAD_SECONDS / peakPerSecond;
  console.log(`  goodput ${goodput.toFixed(2)} of the peak`);
  await mesh.up.stop();
}

async function disconnects(): Promise<void> {
  const mesh = await Mesh.start(['--workers', '1']);
  let left = NUM_DISCONNECTS;
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const { path, body } = requestOf(left);
      const options = { ...post(body), signal: AbortSignal.timeout(Math.ceil(Math.random() * 1_500)) };
      await fetch(mesh.url + path, options)
        .then(
          (response) => response.text(),
          () => undefined,
        )
        .catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: 32 }, client));
  await pause(1_000);
  const { engine } = (await (await fetch(`${mesh.url}/admin/v1/stats`)).json()) as { engine: object };
  console.log(`disconnects: ${String(NUM_DISCONNECTS)} clients went away; a second later: ${JSON.stringify(engine)}`);
  await mesh.up.stop();
}

async function loadFor(url: string, numClients: number, seconds: number): Promise<Outcomes> {
  const outcomes: Outcomes = { numRight: 0, refused: new Map(), wrong: new Map() };
  const endMs = performance.now() + seconds * 1000;
  const client = async (_: unknown, clientIndex: number): Promise<void> => {
    for (let turn = clientIndex; performance.now() < endMs; turn++) await ask(url, turn, outcomes);
  };
  await Promise.all(Array.from({ length: numClients }, client));
  return outcomes;
}

async function arrivalsFor(url: string, perSecond: number, seconds: number): Promise<Outcomes> {
  const outcomes: Outcomes = { numRight: 0, refused: new Map(), wrong: new Map() };
  const asked: Promise<void>[] = [];
  const startMs = performance.now();
  while (performance.now() - startMs < seconds * 1000) {
    const due = ((performance.now() - startMs) / 1000) * perSecond;
    while (asked.length < due) asked.push(ask(url, asked.length, outcomes));
    await pause(5);
  }
  await Promise.all(asked);
  return outcomes;
}

async function ask(url: string, turn: number, outcomes: Outcomes): Promise<void> {
  const { path, body } = requestOf(turn);
  const response = await fetch(url + path, post(body)).catch((error: unknown) => String(error));
  if (typeof response === 'string') {
    count(outcomes.wrong, response);
    return;
  }
  const text = await response.text();
  const retryAfter = response.headers.get('retry-after');
  if (response.ok && !text.includes('"error":{')) outcomes.numRight += 1;
  else if ((response.status === 429 || response.status === 503) && retryAfter !== null) {
    count(outcomes.refused, String(response.status));
  } else count(outcomes.wrong, `${path} ${String(response.status)} ${text.slice(-200)}`);
}

function post(body: object): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function shown({ numRight, refused, wrong }: Outcomes): string {
  const list = (counts: ReadonlyMap<string, number>): string =>
    [...counts].map(([name, number]) => `${String(number)} x ${name}`).join(', ') || 'none';
  return `${String(numRight)} right, refused: ${list(refused)}, wrong: ${list(wrong)}`;
}

function residentOf(mesh: Mesh): string {
  return descendantsOf(mesh.up.pid)
    .map(({ pid }) => (memoryOf(pid).residentBytes / 2 ** 20).toFixed(0))
    .join(' and ');
}
