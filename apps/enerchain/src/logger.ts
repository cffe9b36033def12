/** One logger per process: JSON lines on stdout for the supervisor's log file, readable lines on a terminal. */
import { type Logger, pino } from 'pino';

export function createLogger(name: string): Logger {
  return pino({
    name,
    level: process.env.ENERCHAIN_LOG ?? 'info',
    base: { name },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: ['token', 'password', '*.token', '*.password', 'headers.authorization', 'headers.cookie'],
      censor: '…',
    },
  });
}
