/** Random and damaged octets: the only things that may happen are an ASDU or a typed error, in bounded memory and time. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { ApduReader, decodeApdu, encodeApdu } from '../../src/codec/apdu.ts';
import { type Asdu, decodeAsdu, encodeAsdu } from '../../src/codec/asdu.ts';
import { timeToEpochMillis } from '../../src/codec/zone.ts';
import { Iec104Error } from '../../src/errors.ts';
import { DEFAULT_PARAMETERS } from '../../src/spec/parameters.ts';
import { TYPES } from '../../src/spec/types.ts';
import { asduOf } from './arbitraries.ts';

/** A small generator with a seed, quicker than fast-check for many octets. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
    return (x ^ (x >>> 13)) >>> 0;
  };
}

function tolerant(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (error instanceof Iec104Error && error.fault === 'peer') return false;
    throw error;
  }
}

function useAll(asdu: Asdu): void {
  expect(asdu.objects.length).toBeLessThanOrEqual(127);
  for (const object of asdu.objects) if (object.time) timeToEpochMillis(object.time, 1.7e12, { zone: 'Europe/Berlin' });
}

/** Random ASDUs of every type. */
export function fuzzAsdus(seed: number, rounds: number): void {
  const next = random(seed);
  let decoded = 0;
  for (let round = 0; round < rounds; round++) {
    const bytes = new Uint8Array(next() % 250);
    for (let i = 0; i < bytes.length; i++) bytes[i] = next();
    if (bytes.length > 1) {
      bytes[0] = TYPES[round % TYPES.length]!.id;
      if (round % 3 > 0) bytes[1] = 1;
    }
    if (tolerant(() => useAll(decodeAsdu(bytes, DEFAULT_PARAMETERS)))) decoded++;
  }
  expect(decoded).toBeGreaterThan(0);
}

/** Good frames of every type with one to three bits turned. */
export function fuzzFrames(seed: number, rounds: number): void {
  const next = random(seed);
  const frames = TYPES.map((spec) =>
    encodeApdu(
      {
        kind: 'I',
        sent: 1,
        received: 2,
        asdu: fc.sample(asduOf(spec, false, DEFAULT_PARAMETERS), { numRuns: 1, seed: 3 })[0]!,
      },
      DEFAULT_PARAMETERS,
    ),
  );
  for (let round = 0; round < rounds; round++) {
    const bytes = frames[round % frames.length]!.slice();
    for (let flips = 1 + (next() % 3); flips > 0; flips--) bytes[next() % bytes.length]! ^= 1 << (next() % 8);
    tolerant(() => {
      const apdu = decodeApdu(bytes, DEFAULT_PARAMETERS);
      if (apdu.kind === 'I') {
        useAll(apdu.asdu);
        // What was understood can be said again: no value came out that does not fit its field.
        if (apdu.asdu.objects.every((object) => !object.time || !Number.isNaN(timeToEpochMillis(object.time, 0))))
          tolerantEncode(apdu.asdu);
      }
    });
  }
}

function tolerantEncode(asdu: Asdu): void {
  try {
    encodeAsdu(asdu, DEFAULT_PARAMETERS);
  } catch (error) {
    // Liberal in what we accept: a sequence of a timed type is read, but never sent.
    expect((error as Iec104Error).code).toBe('asdu.sequence');
  }
}

/** A stream cut anywhere gives the same frames; one with noise gives a typed error or other frames. */
export function fuzzStreams(seed: number, rounds: number): void {
  const next = random(seed);
  for (let round = 0; round < rounds; round++) {
    const frames = Array.from({ length: 20 }, () =>
      Buffer.from(
        encodeApdu(
          next() % 3 === 0 ? { kind: 'S', received: next() % 32768 } : { kind: 'U', function: 'TESTFR act' },
          DEFAULT_PARAMETERS,
        ),
      ),
    );
    const stream = Buffer.concat(frames);
    const reader = new ApduReader();
    const read: string[] = [];
    for (let at = 0; at < stream.length; ) {
      const size = next() % 9;
      reader.push(stream.subarray(at, at + size), (bytes, start, end) => {
        read.push(Buffer.from(bytes.subarray(start, end)).toString('hex'));
        return true;
      });
      expect(reader.pending).toBeLessThan(255);
      at += size;
    }
    expect(read).toEqual(frames.map((frame) => frame.toString('hex')));
    const noise = Buffer.from(stream);
    noise[next() % noise.length] = next();
    tolerant(() => new ApduReader().push(noise, () => true));
  }
}
