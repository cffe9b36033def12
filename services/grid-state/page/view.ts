/** What the page says: a solution as rows of text, with a tone for what is not normal. Pure. */

/** The answer of `GET /services/grid-state/solution`, as far as it is shown. */
export interface Solution {
  readonly grid: { readonly name: string; readonly version: number };
  /** ISO 8601. */
  readonly at: string;
  readonly converged: boolean;
  readonly iterations: number;
  readonly maxMismatch: number | null;
  readonly solveMillis: number;
  readonly losses: number | null;
  readonly behind: number;
  readonly coverage: {
    readonly switches: number;
    readonly switchesKnown: number;
    readonly injections: number;
    readonly injectionsMeasured: number;
    readonly old: number;
  };
  readonly islands: readonly {
    readonly index: number;
    readonly energised: boolean;
    readonly converged: boolean;
    readonly buses: number;
    readonly iterations: number;
    readonly sources: readonly string[];
    readonly busbars: readonly string[];
    readonly failure?: string;
  }[];
  readonly busbars: readonly {
    readonly point: string;
    readonly name: string;
    readonly island: number;
    readonly energised: boolean;
    readonly nominalVoltage: number;
    readonly voltage: number | null;
    readonly angle: number | null;
  }[];
  readonly branches: readonly {
    readonly point: string;
    readonly name: string;
    readonly energised: boolean;
    readonly loading: number | null;
    readonly from: { readonly p: number; readonly q: number } | null;
    readonly losses: number | null;
  }[];
}

/** Class of the control room for what is not normal. */
export type Tone = '' | 'dim' | 'p2-text';

export interface Fact {
  readonly name: string;
  readonly text: string;
  readonly tone: Tone;
}

/** A value in its range, as shares of the width of the bar. */
export interface Bar {
  readonly from: number;
  readonly to: number;
  readonly marks: readonly number[];
  readonly beyond: boolean;
}

export interface Row {
  readonly key: string;
  /** Point that stands behind the row, for the inspector. */
  readonly point?: string;
  readonly dead: boolean;
  readonly cells: readonly { readonly text: string; readonly tone: Tone; readonly unit?: string }[];
  readonly bar?: Bar;
}

export interface View {
  readonly facts: readonly Fact[];
  /** Sentences about what is wrong. */
  readonly problems: readonly string[];
  readonly voltages: readonly Row[];
  readonly loadings: readonly Row[];
  readonly islands: readonly Row[];
}

/** EN 50160: the supply voltage stays within ± 10 % of its nominal value. */
const VOLTAGE_LIMIT = 10;
/** % of the nominal voltage at either end of a bar, and % of the rating at its right end. */
const VOLTAGE_SPAN = 12;
const LOADING_SPAN = 120;
/** s behind the log from which it is said. */
const LATE = 5;
const NOTHING = '–';

/** With a real minus sign, and no sign on a zero. */
export function number(value: number | null, digits: number): string {
  if (value === null || !Number.isFinite(value)) return NOTHING;
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

const share = (value: number, low: number, high: number): number =>
  Math.max(0, Math.min(1, (value - low) / (high - low)));

export function viewOf(solution: Solution): View {
  const { coverage, islands, busbars, branches } = solution;
  const dead = busbars.filter(({ energised }) => !energised).length;
  const live = islands.filter(({ energised }) => energised);
  const fact = (name: string, text: string, abnormal = false): Fact => ({
    name,
    text,
    tone: abnormal ? 'p2-text' : '',
  });
  return {
    facts: [
      fact('solution', solution.converged ? 'converged' : 'not found', !solution.converged),
      fact('losses', solution.losses === null ? NOTHING : `${number(solution.losses, 3)} MW`),
      fact('energised islands', String(live.length)),
      fact('busbars without voltage', String(dead), dead > 0),
      fact('iterations', String(solution.iterations)),
      fact('mismatch', solution.maxMismatch === null ? NOTHING : `${solution.maxMismatch.toExponential(1)} MVA`),
      fact('switches reported', `${coverage.switchesKnown} of ${coverage.switches}`),
      fact('powers measured', `${coverage.injectionsMeasured} of ${coverage.injections}`),
      fact('inputs too old', String(coverage.old), coverage.old > 0),
      fact('solve time', `${number(solution.solveMillis, 1)} ms`),
      fact('behind the log', `${number(solution.behind, 1)} s`, solution.behind > LATE),
      fact('grid', `${solution.grid.name}, version ${solution.grid.version}`),
    ],
    problems: islands.flatMap(({ index, failure }) => (failure ? [`Island ${index + 1}: ${failure}`] : [])),
    voltages: busbars.map((busbar): Row => {
      const { point, name, voltage, nominalVoltage, angle, island, energised } = busbar;
      const deviation = voltage === null ? null : (voltage / nominalVoltage - 1) * 100;
      const beyond = deviation !== null && Math.abs(deviation) > VOLTAGE_LIMIT;
      const zero = share(0, -VOLTAGE_SPAN, VOLTAGE_SPAN);
      const at = share(deviation ?? 0, -VOLTAGE_SPAN, VOLTAGE_SPAN);
      const marks = [-VOLTAGE_LIMIT, VOLTAGE_LIMIT].map((limit) => share(limit, -VOLTAGE_SPAN, VOLTAGE_SPAN));
      return {
        key: point,
        point,
        dead: !energised,
        cells: [
          { text: name, tone: '' },
          !energised
            ? { text: 'no voltage', tone: 'dim' }
            : voltage === null
              ? { text: 'not solved', tone: 'p2-text' }
              : { text: number(voltage, 3), unit: 'kV', tone: beyond ? 'p2-text' : '' },
          { text: signed(deviation, 2), unit: deviation === null ? '' : '%', tone: beyond ? 'p2-text' : '' },
          { text: number(angle, 2), unit: angle === null ? '' : '°', tone: '' },
          { text: String(island + 1), tone: 'dim' },
        ],
        ...(deviation === null ? {} : { bar: { from: Math.min(zero, at), to: Math.max(zero, at), marks, beyond } }),
      };
    }),
    loadings: branches.map((branch): Row => {
      const { point, name, loading, from, losses, energised } = branch;
      const beyond = loading !== null && loading > 100;
      const { p = null, q = null } = from ?? {};
      return {
        key: point,
        point,
        dead: !energised,
        cells: [
          { text: name, tone: '' },
          { text: number(loading, 1), unit: loading === null ? '' : '%', tone: beyond ? 'p2-text' : '' },
          { text: number(p, 3), unit: p === null ? '' : 'MW', tone: '' },
          { text: number(q, 3), unit: q === null ? '' : 'Mvar', tone: '' },
          { text: number(losses === null ? null : losses * 1000, 1), unit: losses === null ? '' : 'kW', tone: '' },
        ],
        ...(loading === null
          ? {}
          : { bar: { from: 0, to: share(loading, 0, LOADING_SPAN), marks: [100 / LOADING_SPAN], beyond } }),
      };
    }),
    islands: islands.map(
      ({ index, energised, converged, buses, iterations, sources, busbars: names }): Row => ({
        key: String(index),
        dead: !energised,
        cells: [
          { text: String(index + 1), tone: '' },
          energised
            ? { text: converged ? 'energised' : 'energised, not solved', tone: converged ? '' : 'p2-text' }
            : { text: 'no voltage', tone: 'dim' },
          { text: String(buses), tone: '' },
          { text: energised ? String(iterations) : NOTHING, tone: '' },
          { text: sources.join(', ') || NOTHING, tone: '' },
          { text: names.join(', ') || NOTHING, tone: 'dim' },
        ],
      }),
    ),
  };
}

const signed = (value: number | null, digits: number): string => {
  const text = number(value, digits);
  return value !== null && value > 0 && Number(text) !== 0 ? `+${text}` : text;
};
