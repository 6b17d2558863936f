import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type FastifyInstance } from 'fastify';
import { type LoadMonitor, type LoadWindow } from './load-monitor.js';

export const LOAD_WINDOWS = ['recent', 'window', 'total'] as const satisfies readonly LoadWindow[];

/** GET /admin/v1/experts/load?window=recent|window|total&coactivations=true: ExpertStats, with every layer and expert. */
export function registerExpertLoadRoute(app: FastifyInstance, monitor: Pick<LoadMonitor, 'stats'>): void {
  app.get('/admin/v1/experts/load', { logLevel: 'warn' }, (request) => {
    const { window, coactivations } = request.query as Record<string, unknown>;
    return monitor.stats(parseLoadWindow(window), coactivations === 'true');
  });
}

/** @throws ExpertmeshError `invalid_argument` for a window that there is not. Absent or empty means `recent`. */
export function parseLoadWindow(value: unknown): LoadWindow {
  if (value === undefined || value === '') return 'recent';
  const window = LOAD_WINDOWS.find((candidate) => candidate === value);
  if (window !== undefined) return window;
  throw new ExpertmeshError(
    'invalid_argument',
    `window is ${JSON.stringify(value)}; it can be ${LOAD_WINDOWS.join(', ')}`,
    { param: 'window' },
  );
}
