import { describe, expect, it } from 'vitest';
import { contiguousPlacement, type Placement } from '../placement/placement.js';
import { seededRandom } from '../random/seeded-random.js';
import {
  encodePlacementDocument,
  encodePlacementInForce,
  encodeWorkerAdmissions,
  parsePlacementDocument,
  parsePlacementInForce,
  parseWorkerAdmissions,
  type PlacementDocument,
  type PlacementInForce,
  type WorkerAdmissions,
} from './placement-document.js';

const placement: Placement = {
  version: 7,
  numExperts: 3,
  workerIds: ['a', 'b.lan:1', 'c'],
  replicas: new Map([
    [1, [[0], [0, 2], [1]]],
    [2, [[2], [0], [1]]],
    [5, [[0], [0, 2], [1]]],
  ]),
};

const document: PlacementDocument = {
  formatVersion: 1,
  storeId: 'sha256',
  epoch: 3,
  policy: 'balanced',
  actor: 'operator@host',
  reason: 'a test',
  createdMs: 1_700_000_000_000,
  redundantExperts: 1,
  survive: 0,
  placement,
};

const json = (value: Uint8Array): Record<string, unknown> =>
  JSON.parse(Buffer.from(value).toString()) as Record<string, unknown>;
const encode = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

describe('a placement document', () => {
  it('is the same after it was encoded and parsed', () => {
    expect(parsePlacementDocument(encodePlacementDocument(document))).toEqual(document);
  });

  it('keeps layers of the same replicas together', () => {
    expect(json(encodePlacementDocument(document))['placement']).toEqual({
      version: 7,
      numExperts: 3,
      workerIds: ['a', 'b.lan:1', 'c'],
      replicas: [
        { layers: [1, 5], experts: '0 0,2 1' },
        { layers: [2], experts: '2 0 1' },
      ],
    });
  });

  it('of 94 layers with 144 replicas on 64 workers takes a small part of what a value may have', () => {
    const random = seededRandom(1);
    const workerIds = Array.from({ length: 64 }, (_, index) => `worker-${String(index)}`);
    const owners = (): number[] => {
      const first = Math.floor(random() * 64);
      return random() < 1 / 8 ? [first, (first + 7) % 64].sort((a, b) => a - b) : [first];
    };
    const layers = Array.from({ length: 94 }, (_, index): [number, number[][]] => [
      index,
      Array.from({ length: 128 }, owners),
    ]);
    const large = { version: 1, numExperts: 128, workerIds, replicas: new Map(layers) };
    const encoded = encodePlacementDocument({ ...document, placement: large });
    expect(encoded.byteLength).toBeLessThan(50_000);
    expect(parsePlacementDocument(encoded).placement).toEqual(large);
  });

  it.each<[string, (encoded: Record<string, unknown>) => unknown, string]>([
    ['an expert without replicas', withReplicas('0  1'), 'expert 1 of layer 1 has no list'],
    ['an expert twice on a worker', withReplicas('0 1,1 2'), 'expert 1 of layer 1 has no list'],
    ['replicas out of order', withReplicas('0 2,0 1'), 'expert 1 of layer 1 has no list'],
    ['a worker that is not there', withReplicas('0 3 1'), 'expert 1 of layer 1 has no list'],
    ['something else than an index', withReplicas('0 x 1'), 'expert 1 of layer 1 has no list'],
    ['too few experts', withReplicas('0 1'), 'layer 1 has 2 experts instead of 3'],
    ['no layer', withPlacement({ replicas: [] }), 'placement.replicas'],
    ['a layer twice', withPlacement({ replicas: [{ layers: [1, 1], experts: '0 1 2' }] }), 'layer 1 is there twice'],
    ['a worker twice', withPlacement({ workerIds: ['a', 'b', 'a'] }), 'a worker is there twice'],
    ['no such policy', (encoded) => ({ ...encoded, policy: 'random' }), 'policy'],
    ['no placement', ({ placement: _, ...encoded }) => encoded, 'placement'],
    ['no format version', ({ formatVersion: _, ...encoded }) => encoded, 'formatVersion'],
    ['no object', () => 'text', 'broken'],
  ])('with %s is refused', (_, change, message) => {
    const broken = encode(change(json(encodePlacementDocument(document))));
    expect(() => parsePlacementDocument(broken)).toThrow(message);
    expect(() => parsePlacementDocument(broken)).toThrow(expect.objectContaining({ code: 'data_loss' }) as Error);
  });

  it('that is no JSON, or no text, is refused', () => {
    for (const value of [Buffer.from('{'), Uint8Array.of(0xff, 0xfe), new Uint8Array()])
      expect(() => parsePlacementDocument(value)).toThrow('a placement document is broken');
  });

  it('of another format version says what to do', () => {
    const newer = encode({ ...json(encodePlacementDocument(document)), formatVersion: 2 });
    expect(() => parsePlacementDocument(newer)).toThrow(
      'a placement document has format version 2, this program reads 1: run the same release everywhere',
    );
  });

  it('holds a placement as planning gives it', () => {
    const planned = contiguousPlacement(1, [0, 1, 2], 128, ['a', 'b', 'c']);
    expect(parsePlacementDocument(encodePlacementDocument({ ...document, placement: planned })).placement).toEqual(
      planned,
    );
  });
});

describe('the records beside it', () => {
  it.each<PlacementInForce>([
    { formatVersion: 1, epoch: 4, version: 7 },
    { formatVersion: 1, epoch: 4, version: 7, change: { toVersion: 8, doneLayers: [0, 3] } },
  ])('are the same after they were encoded and parsed: %j', (inForce) => {
    expect(parsePlacementInForce(encodePlacementInForce(inForce))).toEqual(inForce);
  });

  it('keep what operators have said of workers', () => {
    const admissions: WorkerAdmissions = {
      formatVersion: 1,
      epoch: 2,
      workers: { a: 'cordoned', 'b.lan:1': 'removed' },
      untilRestart: { 'b.lan:1': 'boot-1' },
    };
    expect(parseWorkerAdmissions(encodeWorkerAdmissions(admissions))).toEqual(admissions);
    expect(() => parseWorkerAdmissions(encode({ ...admissions, workers: { a: 'gone' } }))).toThrow('workers.a');
  });
});

function withPlacement(change: object): (encoded: Record<string, unknown>) => unknown {
  return (encoded) => ({ ...encoded, placement: { ...(encoded['placement'] as object), ...change } });
}

function withReplicas(experts: string): (encoded: Record<string, unknown>) => unknown {
  return withPlacement({ replicas: [{ layers: [1], experts }] });
}
