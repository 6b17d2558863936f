import { expect, it } from 'vitest';
import {
  ChangeProgress,
  ChangeProgress_State,
  ClusterView,
  WorkerAdmission,
  WorkerAvailability,
} from '../gen/expertmesh/v1/admin.js';
import { clusterJson } from './admin-json.js';

it('puts words in place of the numbers of a message, at any depth', () => {
  const view = ClusterView.fromPartial({
    cluster: 'default',
    workers: [
      {
        workerId: 'box-1',
        availability: WorkerAvailability.WORKER_AVAILABILITY_UP,
        admission: WorkerAdmission.WORKER_ADMISSION_DRAINED,
      },
      { workerId: 'box-2' },
    ],
    change: ChangeProgress.fromPartial({ state: ChangeProgress_State.STATE_ROLLING_BACK }),
  });
  expect(clusterJson(view)).toMatchObject({
    cluster: 'default',
    workers: [
      { workerId: 'box-1', availability: 'up', admission: 'drained' },
      { workerId: 'box-2', availability: 'unknown', admission: 'unknown' },
    ],
    change: { state: 'rolling-back' },
  });
});
