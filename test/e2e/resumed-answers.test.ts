import { resumableChat } from 'expertmesh/client/resumable-chat';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { packDemoStore } from '@expertmesh/test-kit/demo-store';
import { DEMO_MODEL } from '@expertmesh/test-kit/mesh';
import { NatsCluster, stopClusters } from '@expertmesh/test-kit/nats-cluster';
import { describeNats } from '@expertmesh/test-kit/nats-server';
import { decidedQuestions } from './demo-questions.js';

const NUM_STREAMS = 8;

describeNats('a coordinator that is killed in the middle of answers', () => {
  let cluster: NatsCluster;
  beforeAll(async () => {
    cluster = await NatsCluster.start({
      storeDir: await packDemoStore(),
      coordinatorIds: ['c1', 'c2'],
      workers: ['w1', 'w2'].map((workerId) => ({ workerId })),
    });
  });
  afterAll(stopClusters);

  const bodies = decidedQuestions(NUM_STREAMS).map(({ question }, index) => ({
    model: DEMO_MODEL,
    messages: [{ role: 'user', content: question }],
    max_tokens: 150,
    ignore_eos: true,
    stream_options: { include_usage: true },
    ...(index % 2 === 0 ? { temperature: 0 } : { temperature: 1, seed: 1000 + index, presence_penalty: 0.5 }),
  }));

  /** What has been told of the answer; all of it, with its usage, when `ended` resolves. */
  function tell(urls: readonly [string, ...string[]], body: Readonly<Record<string, unknown>>) {
    const told = { text: '', reason: '', usage: 0, numResumed: 0 };
    const follow = async (): Promise<void> => {
      const onResume = (): number => (told.numResumed += 1);
      for await (const { choices, usage } of resumableChat({ urls, body, onResume })) {
        for (const { delta, finish_reason: reason } of choices) {
          told.text += (delta.reasoning ?? '') + (delta.content ?? '');
          told.reason += reason ?? '';
        }
        told.usage += usage?.completion_tokens ?? 0;
      }
    };
    return { told, ended: follow() };
  }

  it('is replaced by the other one, which goes on as it would have, greedy and drawn', async () => {
    const [c1, c2] = [cluster.coordinator('c1'), cluster.coordinator('c2')];
    const quiet = bodies.map((body) => tell([c2.url], body));
    await Promise.all(quiet.map(({ ended }) => ended));
    const streams = bodies.map((body) => tell([c1.url, c2.url], body));
    await c2.process.until(() => streams.every(({ told }) => told.text.length > 40), 'is told of in all streams');
    await c1.process.stop('SIGKILL');
    await Promise.all(streams.map(({ ended }) => ended));
    for (const [index, { told }] of streams.entries()) {
      expect(told.numResumed).toBe(1);
      expect({ ...told, numResumed: 0 }).toEqual(quiet[index]?.told);
      expect(told.usage).toBe(150);
    }
  });
});
