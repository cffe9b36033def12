import { createMemo, createResource, For, Match, Show, Switch } from 'solid-js';
import { trustApi } from '../../api/trust.ts';
import { useApp } from '../../app.ts';
import { day, hourMinute } from '../../format/time.ts';
import { CERTIFICATE_WORDS, type CertificateLine, certificateLines, longWords } from '../../trust/certificates.ts';
import { ORIGIN_WORDS, USE_WORDS } from '../../trust/words.ts';
import { CheckGlyph } from '../../ui/glyphs.tsx';
import { Notice, Skeleton } from '../../ui/parts.tsx';

/** Certificates change by renewal and revocation: asked for again this often while looked at, in milliseconds. */
const AGAIN = 30_000;
const TICK = 10_000;
const TONE = {
  expired: 'bad',
  ending: 'warn',
  notYet: 'warn',
  valid: 'ok',
  replaced: 'quiet',
  revoked: 'quiet',
} as const;

/** Every certificate with its key's place and its end; what needs somebody stands first. */
export function Certificates() {
  const app = useApp();
  const [found] = createResource(
    () => app.live() && { round: Math.floor(app.now().getTime() / AGAIN) },
    () => trustApi.certificates(),
  );
  const known = () => (found.error ? undefined : found.latest);
  // Times of days need no look every second, and the rows stand still meanwhile.
  const minute = createMemo(() => Math.floor(app.now().getTime() / TICK) * TICK);
  const lines = createMemo(() => certificateLines(known() ?? [], new Date(minute())));
  const waiting = () => lines().filter(({ state }) => state === 'expired' || state === 'ending').length;
  const files = () =>
    lines().filter(({ certificate, state }) => certificate.keyOrigin === 'file' && TONE[state] !== 'quiet').length;
  return (
    <div class="scroll padded">
      <Switch>
        <Match when={found.error}>
          <Notice title="The certificates could not be fetched" tone="error">
            {String((found.error as Error).message)}
          </Notice>
        </Match>
        <Match when={known() === undefined}>
          <Skeleton rows={8} />
        </Match>
        <Match when={lines().length === 0}>
          <Notice title="No certificates">The centre's own authority has issued none yet.</Notice>
        </Match>
        <Match when={true}>
          <p class="sub lead" role="status">
            {waiting() === 0
              ? 'None of them needs anybody.'
              : `${waiting()} ${waiting() === 1 ? 'needs' : 'need'} somebody: ended, or less than a third of the time left and no newer one.`}{' '}
            <Show
              when={files()}
            >{`${files()} of the keys in use lie in files: good for development, not for a station.`}</Show>
          </p>
          <table class="table certificates" classList={{ stale: !app.live() }}>
            <thead>
              <tr>
                <th />
                <th>Name</th>
                <th>Role</th>
                <th>Key</th>
                <th>State</th>
                <th>Valid until</th>
                <th>Use</th>
                <th class="wide">SHA-256</th>
              </tr>
            </thead>
            <tbody>
              <For each={lines()}>{(line) => <Line of={line} />}</For>
            </tbody>
          </table>
        </Match>
      </Switch>
    </div>
  );
}

function Line(props: { of: CertificateLine }) {
  const { certificate } = props.of;
  const until = new Date(certificate.notAfter);
  const tone = TONE[props.of.state];
  const left = () =>
    until.getUTCFullYear() === 9999
      ? 'as long as the log'
      : props.of.left > 0
        ? `${longWords(props.of.left)} left`
        : `ended ${longWords(-props.of.left)} ago`;
  return (
    <tr classList={{ quiet: tone === 'quiet' }}>
      <td>
        <Show when={tone !== 'quiet'}>
          <CheckGlyph state={tone as 'ok' | 'warn' | 'bad'} />
        </Show>
      </td>
      <td>{certificate.name}</td>
      <td class="dim">{certificate.role}</td>
      <td>
        {certificate.keyOrigin ? (
          <span class={certificate.keyOrigin === 'file' ? 'weak-key' : ''}>{ORIGIN_WORDS[certificate.keyOrigin]}</span>
        ) : (
          <span class="dim">not told</span>
        )}
      </td>
      <td
        classList={{
          'p1-text': props.of.state === 'expired',
          'p3-text': tone === 'warn',
          dim: tone === 'quiet',
        }}
      >
        {CERTIFICATE_WORDS[props.of.state]}
      </td>
      <td>
        <svg class="validity" viewBox="0 0 48 8" width="48" height="8" aria-hidden="true">
          <rect class="bar-band" y="1" width="48" height="6" rx="1.5" />
          <rect
            class={props.of.state === 'ending' ? 'p3-fill' : 'bar-fill'}
            y="1"
            width={48 * (tone === 'quiet' ? 0 : props.of.share)}
            height="6"
            rx="1.5"
          />
        </svg>{' '}
        {left()}{' '}
        <span class="dim">{until.getUTCFullYear() === 9999 ? '' : `· ${day(until)} ${hourMinute(until)}`}</span>
      </td>
      <td class="dim">{USE_WORDS[certificate.use] ?? certificate.use}</td>
      <td class="wide mono dim clip fingerprint" title={certificate.fingerprint}>
        {certificate.fingerprint}
      </td>
    </tr>
  );
}
