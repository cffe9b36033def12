/** The metadata model. See the sections of IEC 61970-301 and IEC 61850-7-3 named in each file. */
export * from './alarm.ts';
export * from './audit.ts';
export * from './command.ts';
export * from './errors.ts';
export * from './event.ts';
export * from './gap.ts';
export * from './grid.ts';
export * from './identity.ts';
export * from './log-records.ts';
export * from './observation.ts';
export * from './point.ts';
export * from './quality.ts';
export * from './quality-iec104.ts';
export * from './report.ts';
export * from './site.ts';
export * from './time.ts';
export * from './validate.ts';
