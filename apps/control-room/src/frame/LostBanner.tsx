import { Show } from 'solid-js';
import { useApp } from '../app.ts';
import { clock, duration } from '../format/time.ts';

/** Says at once that what is shown is no longer live, and since when. */
export function LostBanner() {
  const app = useApp();
  return (
    <Show when={app.link().state !== 'live'}>
      <div class={`banner banner-${app.link().state}`} role="alert">
        <Show when={app.link().state === 'lost'} fallback={<span>Connecting to the centre …</span>}>
          <strong>Connection lost since {clock(app.link().since)}</strong>
          <span>
            {app.link().reason} Values are {duration(app.now().getTime() - app.link().since.getTime())} old; commands
            and acknowledgements wait. The screen reconnects by itself.
          </span>
        </Show>
      </div>
    </Show>
  );
}
