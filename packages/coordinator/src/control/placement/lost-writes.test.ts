import { ADMISSIONS_KEY, IN_FORCE_KEY } from '@expertmesh/shared/cluster/cluster-keys';
import { EmbeddedControlPlane } from '@expertmesh/shared/control-plane/embedded-control-plane';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { AuditRecord } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { createLogger } from '@expertmesh/shared/process/logger';
import { expect, it } from 'vitest';
import { LateWatch } from '@expertmesh/test-kit/late-watch';
import { openLeader, openStore, placementDocument, putInForce } from '@expertmesh/test-kit/placement-stores';
import { settle } from '@expertmesh/test-kit/settle';

const logger = createLogger({ name: 'test', level: 'silent' });

it('forgets nothing when the control plane does, and puts it back in office', async () => {
  const controlPlane = new EmbeddedControlPlane(logger);
  const { store } = await openLeader(controlPlane);
  const record = AuditRecord.create({ timeMs: 1, actor: 'me' });
  await store.addAudit(record);
  for (const key of [IN_FORCE_KEY, 'document/1', 'audit/1']) await controlPlane.placement.delete(key);
  await settle();
  expect(store.routing).toEqual(placementDocument(1).placement);
  await store.reconcile();
  const { store: other } = await openStore(controlPlane);
  expect(other.routing).toEqual(placementDocument(1).placement);
  expect(other.audit(10)).toEqual([record]);
});

it('puts back what the control plane had acknowledged and lost, of which no watch tells', async () => {
  const controlPlane = new EmbeddedControlPlane(logger);
  const late = new LateWatch(controlPlane.placement);
  const { store } = await openLeader({ placement: late });
  const before = await controlPlane.placement.get(IN_FORCE_KEY);
  late.hold();
  await putInForce(store, 2);
  await controlPlane.placement.put(IN_FORCE_KEY, before?.value ?? new Uint8Array());
  store.doubtControlPlane();
  await store.reconcile();
  const { store: other } = await openStore(controlPlane);
  expect(other.inForce?.version).toBe(2);
  expect(store.inForce?.version).toBe(2);
});

it('lets another leader go on from what it has heard, when the control plane has lost that', async () => {
  const controlPlane = new EmbeddedControlPlane(logger);
  const { store } = await openLeader(controlPlane);
  const { store: next } = await openStore(controlPlane);
  const before = [await controlPlane.placement.get(IN_FORCE_KEY), await controlPlane.placement.get(ADMISSIONS_KEY)];
  await putInForce(store, 2);
  await store.changeAdmissions(({ untilRestart }) => ({ workers: { a: 'cordoned' }, untilRestart }));
  await settle();
  for (const entry of before) await controlPlane.placement.put(entry?.key ?? '', entry?.value ?? new Uint8Array());
  await settle();
  await next.takeOffice(2);
  const { store: other } = await openStore(controlPlane);
  expect(other.inForce).toMatchObject({ version: 2, epoch: 2 });
  expect(other.admissions).toMatchObject({ workers: { a: 'cordoned' }, epoch: 2 });
});

it('writes nothing where the control plane has kept everything', async () => {
  const controlPlane = new EmbeddedControlPlane(logger);
  const { store } = await openLeader(controlPlane);
  const before = await controlPlane.placement.get(IN_FORCE_KEY);
  store.doubtControlPlane();
  await store.reconcile();
  expect(await controlPlane.placement.get(IN_FORCE_KEY)).toEqual(before);
});

it('puts the rest back when the control plane does not take the audit', async () => {
  const controlPlane = new EmbeddedControlPlane(logger);
  const placement = new LateWatch(controlPlane.placement);
  const { store } = await openLeader({ placement });
  placement.create = (key, value) =>
    key.startsWith('audit/')
      ? Promise.reject(new ExpertmeshError('invalid_argument', 'the value is too large'))
      : controlPlane.placement.create(key, value);
  await expect(store.addAudit(AuditRecord.create({ timeMs: 1 }))).rejects.toThrow('too large');
  await placement.delete('document/1');
  await settle();
  await store.reconcile();
  expect(await placement.get('document/1')).toBeDefined();
});
