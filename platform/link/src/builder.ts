/** Gathers observations into columns. */
import { CAUSES, type Cause, type Mrid, type Observation, QUALITY, withValidity } from '@enerchain/model';
import { ColumnArena } from './arena.ts';
import { type Column, type ObservationBatch, REPEAT } from './content.ts';

const CAUSE_CODE = new Map<Cause, number>(CAUSES.map((cause, code) => [cause, code]));
/** What a column and an observation cost on the wire, about; for closing a batch by size. */
const BYTES_PER_COLUMN = 36;
const BYTES_PER_OBSERVATION = 12;

/**
 * A number that is none is no value: NaN becomes `null`, invalid; an infinity becomes `null`, invalid, overflow.
 * Negative zero stays what it is.
 */
export function finiteOnly(observation: Observation): Observation {
  const { value } = observation;
  if (typeof value !== 'number' || Number.isFinite(value)) return observation;
  const quality = withValidity(observation.quality, 'invalid') | (Number.isNaN(value) ? 0 : QUALITY.overflow);
  return { ...observation, value: null, quality };
}

/** Collects observations until `build` is called; then it is empty and can be used again. */
export class BatchBuilder {
  #columns = new Map<Mrid, Observation[]>();
  #count = 0;
  #bytes = 0;

  /** Observations added since the last `build`. */
  get count(): number {
    return this.#count;
  }

  /** About how many bytes the batch will have. */
  get bytes(): number {
    return this.#bytes;
  }

  add(observation: Observation): void {
    const clean = finiteOnly(observation);
    const column = this.#columns.get(clean.point);
    if (column) {
      column.push(clean);
    } else {
      this.#columns.set(clean.point, [clean]);
      this.#bytes += BYTES_PER_COLUMN;
    }
    this.#count++;
    this.#bytes += BYTES_PER_OBSERVATION + (typeof clean.value === 'string' ? 4 * clean.value.length : 0);
  }

  build(): ObservationBatch {
    const count = this.#count;
    const arena = new ColumnArena(count);
    const columns = Array.from(this.#columns, ([point, observations]) => columnOf(point, observations, arena));
    this.#columns = new Map();
    this.#count = 0;
    this.#bytes = 0;
    return { columns, count };
  }
}

function columnOf(point: Mrid, observations: readonly Observation[], arena: ColumnArena): Column {
  const size = observations.length;
  const { sourceTime, receiveTime, numbers } = arena.take(size);
  const quality = new Uint16Array(size);
  const timeQuality = new Uint16Array(size);
  const cause = new Uint8Array(size);
  let numeric = true;
  for (let i = 0; i < size; i++) {
    const observation = observations[i]!;
    sourceTime[i] = observation.sourceTime;
    receiveTime[i] = observation.receiveTime;
    quality[i] = observation.quality;
    timeQuality[i] = observation.timeQuality;
    cause[i] = CAUSE_CODE.get(observation.cause)! | (observation.repeat ? REPEAT : 0);
    if (typeof observation.value === 'number') numbers[i] = observation.value;
    else numeric = false;
  }
  const value = numeric ? numbers : observations.map((observation) => observation.value);
  return { point, sourceTime, receiveTime, value, quality, timeQuality, cause };
}

/** The observations of a batch one by one, column after column; for those who do not need speed. */
export function* observationsOf(batch: ObservationBatch): Generator<Observation> {
  for (const column of batch.columns) {
    for (let i = 0; i < column.cause.length; i++) {
      yield {
        point: column.point,
        value: column.value[i]!,
        quality: column.quality[i]!,
        sourceTime: column.sourceTime[i]!,
        timeQuality: column.timeQuality[i]!,
        receiveTime: column.receiveTime[i]!,
        cause: CAUSES[column.cause[i]! & ~REPEAT]!,
        repeat: (column.cause[i]! & REPEAT) !== 0,
      };
    }
  }
}
