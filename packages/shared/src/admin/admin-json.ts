import {
  ChangeProgress_State as State,
  WorkerAdmission,
  WorkerAvailability,
  type ChangeProgress,
  type ClusterView,
  type WorkerView,
} from '../gen/expertmesh/v1/admin.js';

/**
 * What operators see as JSON, from the command line and over HTTP: the messages of the AdminService with words in place
 * of numbers.
 */

export type AvailabilityWord = 'unknown' | 'joining' | 'up' | 'away';
export type AdmissionWord = 'unknown' | 'accepting' | 'cordoned' | 'draining' | 'drained';
export type ProgressWord = 'unknown' | 'planned' | 'moving' | 'done' | 'rolling-back' | 'rolled-back' | 'not-needed';

export function availabilityWord(availability: WorkerAvailability): AvailabilityWord {
  return AVAILABILITY_WORDS[availability];
}

export function admissionWord(admission: WorkerAdmission): AdmissionWord {
  return ADMISSION_WORDS[admission];
}

export function progressWord(state: State): ProgressWord {
  return PROGRESS_WORDS[state];
}

const AVAILABILITY_WORDS: Readonly<Record<WorkerAvailability, AvailabilityWord>> = {
  [WorkerAvailability.UNRECOGNIZED]: 'unknown',
  [WorkerAvailability.WORKER_AVAILABILITY_UNSPECIFIED]: 'unknown',
  [WorkerAvailability.WORKER_AVAILABILITY_JOINING]: 'joining',
  [WorkerAvailability.WORKER_AVAILABILITY_UP]: 'up',
  [WorkerAvailability.WORKER_AVAILABILITY_AWAY]: 'away',
};

const ADMISSION_WORDS: Readonly<Record<WorkerAdmission, AdmissionWord>> = {
  [WorkerAdmission.UNRECOGNIZED]: 'unknown',
  [WorkerAdmission.WORKER_ADMISSION_UNSPECIFIED]: 'unknown',
  [WorkerAdmission.WORKER_ADMISSION_ACCEPTING]: 'accepting',
  [WorkerAdmission.WORKER_ADMISSION_CORDONED]: 'cordoned',
  [WorkerAdmission.WORKER_ADMISSION_DRAINING]: 'draining',
  [WorkerAdmission.WORKER_ADMISSION_DRAINED]: 'drained',
};

const PROGRESS_WORDS: Readonly<Record<State, ProgressWord>> = {
  [State.UNRECOGNIZED]: 'unknown',
  [State.STATE_UNSPECIFIED]: 'unknown',
  [State.STATE_PLANNED]: 'planned',
  [State.STATE_MOVING]: 'moving',
  [State.STATE_DONE]: 'done',
  [State.STATE_ROLLING_BACK]: 'rolling-back',
  [State.STATE_ROLLED_BACK]: 'rolled-back',
  [State.STATE_NOT_NEEDED]: 'not-needed',
};

export function workerJson(worker: WorkerView) {
  return {
    ...worker,
    availability: availabilityWord(worker.availability),
    admission: admissionWord(worker.admission),
  };
}

export function progressJson(progress: ChangeProgress) {
  return { ...progress, state: progressWord(progress.state) };
}

export function clusterJson(view: ClusterView) {
  return {
    ...view,
    workers: view.workers.map(workerJson),
    change: view.change === undefined ? undefined : progressJson(view.change),
  };
}
