/**
 * What the platform speaks of: points and what is said of them, quality and time, commands, alarms, gaps, the grid. Types and
 * schemas (typebox), pure functions over them, no I/O.
 *
 * - **Instants** are UTC nanoseconds since 1970 as `bigint` (`UtcNanos`), in JSON as decimal text; **time-outs** go by
 *   `Clock.monotonic()`, milliseconds.
 * - **Values** are a number in the unit of their point, a text, or null. **Quality** is a bit set in the terms of
 *   IEC 61850-7-3 § 6.2.1 (`Quality`), `QualityObject` its face for people and JSON.
 * - **Names** are mRIDs (IEC 61970-301): UUIDs in lower case.
 * - **Flows and powers** of the grid are in CIM's load sign convention, in MW, Mvar and kV; each field says its unit.
 * - **Errors** of every package are an `EnerchainError` or have its shape: who is at fault, a code, a sentence.
 */

// Points, and what is said of them.

export * from './identity.ts';
export * from './observation.ts';
export * from './point.ts';
export * from './point-list.ts';
export * from './quality.ts';
export * from './quality-iec104.ts';
export * from './time.ts';

// What goes beside values on the chain of a source, and in the log of the centre.

export * from './alarm.ts';
export * from './audit.ts';
export * from './command.ts';
export * from './event.ts';
export * from './gap.ts';
export * from './log-records.ts';
export * from './operator-keys.ts';
export * from './site.ts';

// What is told and forgotten: the state of a source, views into a device.

export * from './inspection.ts';
export * from './report.ts';

// The grid.

export * from './grid/index.ts';

// For all of them.

export * from './errors.ts';
export * from './validate.ts';
