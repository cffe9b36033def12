import { test } from 'vitest';
import { fuzzAsdus, fuzzFrames, fuzzStreams } from '../support/fuzz.ts';

const SEED = 20_260_115;

test('random ASDUs of every type are read or refused with a typed error', () => fuzzAsdus(SEED, 60_000));
test('damaged frames are read or refused with a typed error', () => fuzzFrames(SEED, 60_000));
test('a stream cut anywhere gives the same frames', () => fuzzStreams(SEED, 300));
