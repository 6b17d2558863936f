import { PinoPretty } from 'pino-pretty';

/** Takes log lines of all processes, each a whole line. */
export interface LogSink {
  write(line: string): void;
}

/** Readable and coloured on a terminal; JSON lines elsewhere, for programs. Both go to stderr. */
export function logSink(): LogSink {
  if (!process.stderr.isTTY) return process.stderr;
  return PinoPretty({
    destination: 2,
    sync: true,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname',
  });
}
