/** The way of a value as the control room shows it: what the verification of its receipt has found, step by step. */
import { type Tier, VALUE_TRUST, type ValueTrust } from '@enerchain/attestation';
import { Mrid, toIso, type UtcNanos } from '@enerchain/model';
import type { ChainLink, Verdict } from '@enerchain/provenance';
import Type, { type Static } from 'typebox';
import { lesser, WORTH } from '../trust/worth.ts';

const TITLES: Readonly<Record<ChainLink, string>> = {
  receipt: 'Receipt',
  device: 'Device and last metre',
  gateway: 'Who received it',
  software: 'What it was running',
  neighbours: 'Who vouched for it',
  signature: 'Signature',
  log: 'Place in the log',
  witnesses: 'Witnesses of the log',
};

const DateTime = Type.String({ format: 'date-time' });
export const ProvenanceJson = Type.Object(
  {
    point: Mrid,
    name: Type.Optional(Type.String()),
    unit: Type.Optional(Type.String()),
    value: Type.Union([Type.Number(), Type.String(), Type.Null()]),
    source: Type.String(),
    sourceTime: DateTime,
    receiveTime: DateTime,
    trust: Type.Enum(VALUE_TRUST),
    tier: Type.Union([Type.Literal('tpm'), Type.Literal('software'), Type.Null()]),
    /** Whether every link holds. */
    holds: Type.Boolean(),
    steps: Type.Array(
      Type.Object({
        kind: Type.String({
          description: 'device, gateway, software, neighbours, signature, log, witnesses or receipt',
        }),
        title: Type.String(),
        text: Type.String(),
        state: Type.Enum(['ok', 'weak', 'bad', 'missing'] as const),
        code: Type.String(),
        at: Type.Optional(DateTime),
        details: Type.Optional(Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]))),
      }),
    ),
  },
  { $id: 'Provenance' },
);
export type ProvenanceJson = Static<typeof ProvenanceJson>;

/** What this centre knows of the sources from which a value was calculated; a receipt proves one source alone. */
export interface InputTrust {
  inputsOf(source: string): readonly string[];
  trustOf(source: string, receiveTime: UtcNanos): ValueTrust;
}

const INPUT_STATE = { attested: 'ok', provisional: 'weak', unknown: 'missing', distrusted: 'bad' } as const;

function inputStep(
  source: string,
  receiveTime: UtcNanos,
  known: InputTrust,
): ProvenanceJson['steps'][number] | undefined {
  const inputs = known.inputsOf(source).map((name) => ({ name, trust: known.trustOf(name, receiveTime) }));
  if (inputs.length === 0) return undefined;
  const found = WORTH.filter((each) => inputs.some(({ trust }) => trust === each));
  const named = (each: ValueTrust) => inputs.filter(({ trust }) => trust === each).map(({ name }) => name);
  const by = found.map((each) => `${named(each).join(', ')} ${each}`);
  return {
    kind: 'device',
    title: 'What it was calculated from',
    text: `${source} calculated it from values of ${inputs.length} sources; as this centre found them then, ${by.join('; ')}.`,
    state: INPUT_STATE[found[0]!],
    code: 'inputs.trust',
    details: Object.fromEntries(inputs.map(({ name, trust }) => [name, trust])),
  };
}

/**
 * @param known absent: nobody is attested here
 * @returns undefined when the receipt is broken so early that it shows no value
 */
export function provenanceJson(verdict: Verdict, known?: InputTrust): ProvenanceJson | undefined {
  const { value, ok, findings } = verdict;
  if (!value) return undefined;
  const inputs = known && inputStep(value.source, value.receiveTime, known);
  const trust = inputs ? lesser(known.trustOf(value.source, value.receiveTime), verdict.trust) : verdict.trust;
  const tier: Tier | null = verdict.tier ?? null;
  return {
    point: value.point,
    ...(value.name === undefined ? {} : { name: value.name }),
    ...(value.unit === undefined ? {} : { unit: value.unit }),
    value: value.value,
    source: value.source,
    sourceTime: toIso(value.sourceTime),
    receiveTime: toIso(value.receiveTime),
    trust,
    tier,
    holds: ok,
    steps: [
      ...(inputs ? [inputs] : []),
      ...findings.map(({ link, state, code, text, at, details }) => ({
        kind: link,
        title: TITLES[link],
        text,
        state,
        code,
        ...(at === undefined ? {} : { at: toIso(at) }),
        ...(details ? { details } : {}),
      })),
    ],
  };
}
