import { createMemo, Show } from 'solid-js';
import type { PointInfo } from '../api/types.ts';
import { useApp } from '../app.ts';
import { count } from '../format/number.ts';
import { isBad } from '../format/quality.ts';
import { clockMillis, instant, stamp } from '../format/time.ts';
import { CheckGlyph } from '../ui/glyphs.tsx';
import { useLive } from '../ui/live.tsx';
import { SilentScreen } from './SilentScreen.tsx';

/** Device, gateway, log as this screen knows them from the stream: what is left to say without the centre's own chain. */
export function LiveChain(props: { point: PointInfo }) {
  const app = useApp();
  const value = useLive(() => props.point.mRID);
  const source = createMemo(() => app.sources().find((each) => each.source === props.point.source));
  const endpoint = createMemo(() => source()?.report?.endpoints.find(({ id }) => id === props.point.endpoint));
  /** A check that this screen can no longer follow is no check. */
  const checked = (good: boolean | undefined) => (!app.live() || good === undefined ? 'warn' : good ? 'ok' : 'bad');
  const deviceWords = () => {
    const known = endpoint();
    if (!known) return 'the gateway has not reported this device';
    const since = known.since ? ` since ${stamp(instant(known.since), app.now()).replace(/\.\d+$/, '')}` : '';
    return `${PROTOCOL_WORDS[known.protocol] ?? known.protocol} · ${known.state}${known.state === 'down' || known.state === 'up' ? since : ''}${known.detail ? ` · ${known.detail}` : ''}`;
  };
  const gatewayWords = () => {
    const known = source();
    if (!known) return 'not known to the centre';
    const breaks = known.chainBreaks ? `${known.chainBreaks} chain breaks` : 'chain unbroken';
    return `${known.connected ? 'connected' : 'not connected'} · ${breaks}${known.gaps ? ` · ${count(known.gaps)} ${known.gaps === 1 ? 'gap' : 'gaps'}` : ' · no gaps'}${known.report ? ` · software ${known.report.version}` : ''}`;
  };
  return (
    <ol class="chain">
      <li>
        <CheckGlyph state={checked(endpoint() && endpoint()!.state === 'up')} />
        {props.point.endpoint}
        <small class="mono">{props.point.address}</small>
        <small class={endpoint()?.state === 'up' ? '' : 'warn'}>{deviceWords()}</small>
      </li>
      <li>
        <CheckGlyph state={checked(source() && source()!.connected && !source()!.chainBreaks)} />
        Gateway {props.point.source}
        <small class={source()?.connected ? '' : 'warn'}>{gatewayWords()}</small>
      </li>
      <Show when={value()}>
        {(now) => (
          <li>
            <CheckGlyph state={isBad(now().quality) ? 'warn' : 'ok'} />
            Log entry {count(now().offset)}
            <small>
              signature and chain checked before it was appended · received {clockMillis(new Date(now().receiveTime))}
            </small>
          </li>
        )}
      </Show>
      <SilentScreen />
    </ol>
  );
}

const PROTOCOL_WORDS: Readonly<Record<string, string>> = { iec104: 'IEC 60870-5-104', mqtt: 'MQTT' };
