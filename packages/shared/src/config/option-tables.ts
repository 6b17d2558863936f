import { ADMIN_OPTIONS } from './admin-options.js';
import { COORDINATOR_OPTIONS } from './coordinator-options.js';
import { DOCTOR_OPTIONS } from './doctor-options.js';
import { type OptionTable } from './option.js';
import { UP_OPTIONS } from './up-options.js';
import { WORKER_OPTIONS } from './worker-options.js';

/**
 * Every command that is configured by flags and environment alike; `admin` stands for all that speak with a running
 * cluster.
 */
export const OPTION_TABLES = {
  up: UP_OPTIONS,
  coordinator: COORDINATOR_OPTIONS,
  worker: WORKER_OPTIONS,
  doctor: DOCTOR_OPTIONS,
  admin: ADMIN_OPTIONS,
} as const satisfies Readonly<Record<string, OptionTable>>;
