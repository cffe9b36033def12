/** A live value as the API and the stream show it. */
import { VALUE_TRUST, type ValueTrust } from '@enerchain/attestation';
import { Mrid, toMillis, type UtcNanos } from '@enerchain/model';
import Type from 'typebox';
import type { LiveValue } from '../ports.ts';

/** Short names: ten thousand of these go down to a display at once. */
export const LiveValueJson = Type.Object(
  {
    p: Mrid,
    v: Type.Union([Type.Number(), Type.String(), Type.Null()], { description: 'value' }),
    q: Type.Integer({ description: 'quality bits (IEC 61850-7-3)' }),
    t: Type.Number({ description: 'source time, ms since the Unix epoch, fractions down to a microsecond' }),
    tq: Type.Integer({ description: 'time quality bits' }),
    r: Type.Number({ description: 'receive time of the gateway, ms since the Unix epoch' }),
    s: Type.String({ description: 'source' }),
    o: Type.Integer({ description: 'record of the ingest log' }),
    trust: Type.Optional(
      Type.Enum(VALUE_TRUST, {
        description: 'whether its source was attested then; beside quality, which it never changes',
      }),
    ),
  },
  { $id: 'LiveValue' },
);
export type LiveValueJson = Type.Static<typeof LiveValueJson>;

/** What is known of the trust of values; absent where nobody is attested. */
export interface TrustOfValues {
  trustOf(source: string, receiveTime: UtcNanos): ValueTrust;
}

export function liveValueJson(live: LiveValue, trust?: TrustOfValues): LiveValueJson {
  return {
    p: live.point,
    v: live.value,
    q: live.quality,
    t: toMillis(live.sourceTime),
    tq: live.timeQuality,
    r: toMillis(live.receiveTime),
    s: live.source,
    o: live.offset,
    ...(trust ? { trust: trust.trustOf(live.source, live.receiveTime) } : {}),
  };
}
