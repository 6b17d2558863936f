import { destination, pino, stdTimeFunctions, type DestinationStream, type Logger as PinoLogger } from 'pino';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type Logger = PinoLogger;

export interface LoggerOptions {
  readonly name: string;
  readonly level: LogLevel;
  /** Takes each JSON line; stderr if absent. */
  readonly destination?: DestinationStream;
}

/**
 * Logs JSON lines to stderr; stdout is for what a command was asked for. Writes are synchronous, so that the last line
 * before an exit is not lost. May be used in any thread.
 */
export function createLogger({ name, level, destination: stream }: LoggerOptions): Logger {
  return pino(
    { name, level, timestamp: stdTimeFunctions.isoTime, base: { pid: process.pid } },
    stream ?? destination({ fd: 2, sync: true }),
  );
}
