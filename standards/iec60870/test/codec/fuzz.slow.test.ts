import { test } from 'vitest';
import { fuzzAsdus, fuzzFrames, fuzzStreams } from '../support/fuzz.ts';

/** A seed of its own each day the suite runs; `FUZZ_SEED` repeats one. */
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);

test(`random ASDUs, many (FUZZ_SEED=${SEED})`, () => fuzzAsdus(SEED, 3_000_000));
test(`damaged frames, many (FUZZ_SEED=${SEED})`, () => fuzzFrames(SEED, 3_000_000));
test(`streams cut anywhere, many (FUZZ_SEED=${SEED})`, () => fuzzStreams(SEED, 10_000));
