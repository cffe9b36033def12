/** Who is whose neighbour in `benchmarks/tcn.ts`, which thread a node runs in, and what the threads say to each other. */

export const AUTHORITY = 'benchmark CA';

/** What a thread is started with; `port` leads to the other thread. */
export interface Setup {
  readonly nodes: number;
  readonly components: number;
  readonly period: number;
  readonly thread: number;
  readonly threads: number;
  readonly caPem: string;
  readonly caKeyPem: string;
  readonly folder: string;
  /** Stands for the secrets of TLS connections between the threads. */
  readonly secret: string;
}

export type Command =
  | { readonly kind: 'start' }
  | { readonly kind: 'change'; readonly node: number; readonly told: boolean }
  | { readonly kind: 'count'; readonly id: number };

export type Said =
  | { readonly ready: number }
  | { readonly changed: string; readonly time: number }
  | { readonly quarantined: string; readonly at: string; readonly time: number }
  | {
      readonly count: number;
      readonly good: number;
      readonly bytes: number;
      readonly challenges: number;
      readonly missed: number;
    };

/** A ring, and a chord to the node on the other side of a seventh of it: four neighbours each. */
export const CHORD_OF = (nodes: number): number => Math.max(2, Math.floor(nodes / 7));

export const neighboursOf = (i: number, nodes: number): number[] =>
  [i - 1, i + 1, i - CHORD_OF(nodes), i + CHORD_OF(nodes)].map((each) => (each + nodes) % nodes);

export const threadOf = (i: number, nodes: number, threads: number): number => Math.floor((i * threads) / nodes);
