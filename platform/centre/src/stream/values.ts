/** A live value as the API and the stream show it. */
import { Mrid, toMillis } from '@enerchain/model';
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
  },
  { $id: 'LiveValue' },
);
export type LiveValueJson = Type.Static<typeof LiveValueJson>;

export function liveValueJson(live: LiveValue): LiveValueJson {
  return {
    p: live.point,
    v: live.value,
    q: live.quality,
    t: toMillis(live.sourceTime),
    tq: live.timeQuality,
    r: toMillis(live.receiveTime),
    s: live.source,
    o: live.offset,
  };
}
