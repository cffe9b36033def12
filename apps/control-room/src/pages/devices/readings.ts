/** What was read from a device on request: kept for the page that asked, with the moment, and nowhere else. */
import type { ReadItem, ReadView } from '@enerchain/model';
import { createSignal } from 'solid-js';
import { devicesApi } from '../../api/devices.ts';
import type { IedTree, TreeNode } from './tree.ts';
import { type Plain, partsOf } from './words.ts';

export interface Reading {
  readonly value?: Plain;
  /** Why there is none. */
  readonly problem?: string;
  /** When the gateway had it. */
  readonly at: Date;
}

/** References in one question; the gateway refuses more. */
const MOST = 200;

/**
 * What must be read for a place in the tree: what it is itself, or what lies below it, data object by data object and constraint
 * by constraint.
 */
export function itemsOf(tree: IedTree, node: TreeNode): ReadItem[] {
  if (node.fc !== undefined) return [{ reference: node.reference, fc: node.fc }];
  if (node.kind === 'object') {
    const own = (node.constraints ?? []).map((fc) => ({ reference: node.reference, fc }));
    const inner = tree.children(node).filter(({ kind }) => kind === 'object');
    const deep = inner.flatMap((each) => itemsOf(tree, each));
    // One reading of the whole has the parts under the same constraint as well.
    return [...own, ...deep.filter(({ fc }) => !own.some((each) => each.fc === fc))];
  }
  return tree.children(node).flatMap((child) => itemsOf(tree, child));
}

/** By reference and constraint, down to the attributes. */
export function readingsOf({ at, results }: ReadView): Map<string, Reading> {
  const moment = new Date(Number(BigInt(at) / 1_000_000n));
  const readings = new Map<string, Reading>();
  for (const { reference, fc, value, problem } of results) {
    if (problem !== undefined) readings.set(`${reference} ${fc}`, { problem, at: moment });
    else {
      for (const [path, part] of partsOf((value ?? null) as Plain, reference)) {
        readings.set(`${path} ${fc}`, { value: part, at: moment });
      }
    }
  }
  return readings;
}

export function createReadings(source: string, endpoint: string) {
  const [readings, setReadings] = createSignal<ReadonlyMap<string, Reading>>(new Map());
  const [reading, setReading] = createSignal(false);
  const [problem, setProblem] = createSignal<string>();
  return {
    reading,
    problem,
    /** Of an attribute, or why the object above it could not be read. */
    of(node: TreeNode): Reading | undefined {
      const known = readings();
      for (let at: TreeNode | undefined = node; at && (at.fc !== undefined || at.kind === 'object'); at = at.parent) {
        const found = known.get(`${at.reference} ${node.fc}`);
        if (found && (at === node || found.problem !== undefined)) return found;
      }
      return undefined;
    },
    async read(items: readonly ReadItem[]): Promise<void> {
      if (reading() || items.length === 0) return;
      setReading(true);
      setProblem(
        items.length > MOST
          ? `${items.length} objects are below it; the first ${MOST} were read. Open it to read less.`
          : undefined,
      );
      try {
        const view = await devicesApi.read(source, endpoint, items.slice(0, MOST));
        setReadings((known) => new Map([...known, ...readingsOf(view)]));
      } catch (error) {
        setProblem(error instanceof Error ? error.message : String(error));
      } finally {
        setReading(false);
      }
    },
  };
}
export type Readings = ReturnType<typeof createReadings>;
