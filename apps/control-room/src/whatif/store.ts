/**
 * "What if": switches, taps and set-points moved on the screen alone. Lives in the memory of this tab and nowhere else: no
 * address, no storage, no command. The centre is asked what would come of it and keeps nothing.
 */
import { type Accessor, createMemo, createSignal } from 'solid-js';
import { gridStateApi, type PowerJson, type TrialJson } from '../api/grid-state.ts';
import type { GridModel } from '../api/types.ts';
import type { SwitchState } from '../diagram/topology.ts';
import { Outcome } from './outcome.ts';

const NOTHING: TrialJson = { switches: {}, taps: {}, powers: {}, voltages: {}, outages: [] };
/** ms after a change in which another may follow, as a wheel or a held key makes them. */
const PAUSE = 150;

export function createWhatIf(model: Accessor<GridModel | undefined>) {
  const [active, setActive] = createSignal(false);
  const [trial, setTrial] = createSignal<TrialJson>(NOTHING);
  const [outcome, setOutcome] = createSignal<Outcome>();
  const [problem, setProblem] = createSignal<string>();
  const [busy, setBusy] = createSignal(false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked = 0;

  async function ask(): Promise<void> {
    const grid = model();
    if (!active() || !grid) return;
    const number = ++asked;
    setBusy(true);
    try {
      const answer = await gridStateApi.whatIf(trial());
      // Only the answer to the last question counts.
      if (number !== asked || !active()) return;
      setOutcome(new Outcome(answer, grid));
      setProblem(undefined);
    } catch (error) {
      if (number !== asked || !active()) return;
      setOutcome(undefined);
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      if (number === asked) setBusy(false);
    }
  }
  function soon(): void {
    clearTimeout(timer);
    timer = setTimeout(() => void ask(), PAUSE);
  }
  function change(next: (known: TrialJson) => TrialJson): void {
    setTrial(next);
    soon();
  }
  const without = <T>(record: Readonly<Record<string, T>>, key: string): Record<string, T> => {
    const { [key]: _, ...others } = record;
    return others;
  };
  const out = createMemo<ReadonlySet<string>>(() => {
    if (!active()) return new Set();
    const { outages } = trial();
    // What a busbar takes along, the service knows; it counts as long as there is an outage at all.
    return new Set([...outages, ...(outages.length ? (outcome()?.answer.out ?? []) : [])]);
  });

  return {
    active,
    trial,
    outcome,
    problem,
    busy,
    /** Equipment that is not there in the trial. */
    out,
    count: () => {
      const { switches, taps, powers, voltages, outages } = trial();
      return [switches, taps, powers, voltages].reduce((sum, each) => sum + Object.keys(each).length, outages.length);
    },
    /** How the trial has a switch, when it has been moved in it. */
    position: (mRID: string): SwitchState | undefined => {
      if (!active()) return undefined;
      const closed = trial().switches[mRID];
      return closed === undefined ? undefined : closed ? 'closed' : 'open';
    },
    begin(start: Partial<TrialJson> = {}): void {
      setOutcome(undefined);
      setProblem(undefined);
      setTrial({ ...NOTHING, ...start });
      setActive(true);
      soon();
    },
    end(): void {
      clearTimeout(timer);
      asked += 1;
      setActive(false);
      setBusy(false);
      setTrial(NOTHING);
      setOutcome(undefined);
      setProblem(undefined);
    },
    reset: () => change(() => NOTHING),
    /** Asks again, since what is live has moved on. */
    again: soon,
    setSwitch: (mRID: string, closed: boolean | undefined) =>
      change((known) => ({
        ...known,
        switches: closed === undefined ? without(known.switches, mRID) : { ...known.switches, [mRID]: closed },
      })),
    setTap: (mRID: string, step: number | undefined) =>
      change((known) => ({
        ...known,
        taps: step === undefined ? without(known.taps, mRID) : { ...known.taps, [mRID]: step },
      })),
    setPower: (mRID: string, power: PowerJson | undefined) =>
      change((known) => ({
        ...known,
        powers: power === undefined ? without(known.powers, mRID) : { ...known.powers, [mRID]: power },
      })),
    setVoltage: (mRID: string, kV: number | undefined) =>
      change((known) => ({
        ...known,
        voltages: kV === undefined ? without(known.voltages, mRID) : { ...known.voltages, [mRID]: kV },
      })),
    setOutage: (mRID: string, taken: boolean) =>
      change((known) => ({
        ...known,
        outages: [...known.outages.filter((each) => each !== mRID), ...(taken ? [mRID] : [])],
      })),
  };
}
export type WhatIf = ReturnType<typeof createWhatIf>;
