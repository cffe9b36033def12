/** For tests of what stands on a transport: time moved by hand, and pairs of every kind. */
export * from './pairs.ts';
export * from './virtual-clock.ts';
