/**
 * What is checked before a command goes out; a list to which later work adds (interlocks, attestation of the path, a
 * second person). All checks run when a command is prepared, and again before each order.
 */
import { type BreakGlass, describeError, isControl, type Mrid } from '@enerchain/model';
import type { Principal } from '../accounts/accounts.ts';
import { word } from '../alarms/conditions.ts';
import type { PointInfo, Sources } from '../ports.ts';
import type { CommandCheckJson } from './view.ts';

export interface CommandCheckInput {
  readonly principal: Principal;
  readonly mRID: Mrid;
  /** The point as announced; undefined when no source announces it. */
  readonly point: PointInfo | undefined;
  readonly value: number;
  /** The command that is being checked. */
  readonly command: string;
  /** Who approved it, and whether that still counts at the gateway. */
  readonly approval?: { readonly by: string; readonly stands: boolean };
  /** Set when path and second person are to be passed over. */
  readonly breakGlass?: BreakGlass;
}

/** One node on the way of a command. */
export interface CheckedHop {
  readonly node: string;
  readonly role: string;
  readonly ok: boolean;
  readonly text: string;
}

export interface CommandCheck {
  readonly name: string;
  /** Whether break-glass passes over its refusal. */
  readonly overridable?: boolean;
  /**
   * @returns whether the command may go on, and one sentence for the operator and the audit; undefined when it has nothing to
   *   say about this command
   */
  check(input: CommandCheckInput): Result | undefined | Promise<Result | undefined>;
}
type Result = { readonly ok: boolean; readonly text: string; readonly hops?: readonly CheckedHop[] };

const verdict = (ok: boolean, yes: string, no: string): Result => ({ ok, text: ok ? yes : no });

/**
 * Runs all of them, so that an operator hears everything at once. A check that fails to run has not been passed; what
 * break-glass passes over is said.
 */
export async function runChecks(
  checks: readonly CommandCheck[],
  input: CommandCheckInput,
): Promise<CommandCheckJson[]> {
  const results: CommandCheckJson[] = [];
  for (const { name, overridable, check } of input.breakGlass ? [...checks, breakGlassCheck] : checks) {
    const result = await Promise.resolve()
      .then(() => check(input))
      .catch((error: unknown) => ({ ok: false, text: `The check '${name}' failed: ${describeError(error)}` }));
    if (!result) continue;
    const overridden = overridable === true && input.breakGlass !== undefined && !result.ok;
    results.push({ name, ...result, ...(overridden ? { ok: true, overridden } : {}) } as CommandCheckJson);
  }
  return results;
}

/** @param runningOn id of the unfinished command on a point */
export function standardChecks(sources: Sources, runningOn: (point: Mrid) => string | undefined): CommandCheck[] {
  return [
    {
      name: 'role',
      check: ({ principal }) =>
        verdict(
          principal.rights.has('commands.operate'),
          `${principal.name} may operate.`,
          `${principal.name} has no role that may operate.`,
        ),
    },
    {
      name: 'point',
      check: ({ mRID, point }) =>
        verdict(
          point !== undefined && isControl(point),
          `${point?.name} is a control.`,
          point ? `${point.name} is a measurement, not a control.` : `No source announces a point ${mRID}.`,
        ),
    },
    {
      name: 'binding',
      check: ({ mRID, point }) =>
        verdict(
          point !== undefined && point.access === 'control',
          `Bound to ${point?.endpoint} ${point?.address} of ${point?.source}.`,
          `${point?.name ?? mRID} is bound to no address that takes commands.`,
        ),
    },
    {
      name: 'value',
      check: ({ point, value }) => checkValue(point, value),
    },
    {
      name: 'source',
      check: ({ point }) => checkSource(point, sources),
    },
    {
      name: 'exclusive',
      check: ({ mRID, command }) => {
        const other = runningOn(mRID);
        return other === undefined || other === command
          ? { ok: true, text: 'No other command is running on this point.' }
          : takenBy(other);
      },
    },
  ];
}

/** What `exclusive` says of a point on which another command runs. */
export const takenBy = (other: string): { ok: false; text: string } => ({
  ok: false,
  text: `The command ${other} is still running on this point.`,
});

/** Runs only for commands that say they break the glass. */
export const breakGlassCheck: CommandCheck = {
  name: 'breakGlass',
  check: ({ principal, breakGlass }) =>
    verdict(
      // A token may be stolen from a file; whoever passes over the others shall be here.
      principal.kind === 'user' && principal.rights.has('commands.breakGlass'),
      `Break-glass by ${principal.name}: ${breakGlass?.reason}`,
      `${principal.name} may not break the glass: that takes a person who is logged in and has the right.`,
    ),
};

function checkValue(point: PointInfo | undefined, value: number): Result {
  if (!point) return { ok: false, text: 'The value cannot be checked without the point.' };
  if (!Number.isFinite(value)) return { ok: false, text: `${value} is no value that can be ordered.` };
  if (point.kind === 'command') {
    const allowed = point.valueAliases
      ? Object.keys(point.valueAliases).map(Number)
      : point.cdc === 'DPC' || point.cdc === 'BSC'
        ? [1, 2]
        : [0, 1];
    return verdict(
      allowed.includes(value),
      `${value} (${word(point, value)}) is a state of this control.`,
      `${value} is no state of ${point.name}; it knows ${allowed.map((each) => `${each} (${word(point, each)})`).join(', ')}.`,
    );
  }
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = point;
  return verdict(
    value >= minimum && value <= maximum,
    `${word(point, value)} lies within the range of the set-point.`,
    `${word(point, value)} lies outside ${minimum} … ${maximum}, the range of ${point.name}.`,
  );
}

function checkSource(point: PointInfo | undefined, sources: Sources): Result {
  if (!point) return { ok: false, text: 'The source cannot be checked without the point.' };
  const status = sources.status().find(({ source }) => source === point.source);
  if (!status?.connected) return { ok: false, text: `The gateway ${point.source} is not connected.` };
  const endpoint = status.report?.endpoints.find(({ id }) => id === point.endpoint);
  return verdict(
    endpoint === undefined || endpoint.state === 'up',
    `The gateway ${point.source} is connected${endpoint ? ` and reaches ${point.endpoint}` : ''}.`,
    `The gateway ${point.source} is connected, but its device ${point.endpoint} is ${endpoint?.state}.`,
  );
}
