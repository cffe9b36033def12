import { Show } from 'solid-js';
import { useApp } from '../app.ts';
import { clock } from '../format/time.ts';
import { CheckGlyph } from '../ui/glyphs.tsx';

/** The last link of a chain that is shown while nothing comes from the centre. */
export function SilentScreen() {
  const app = useApp();
  return (
    <Show when={!app.live()}>
      <li>
        <CheckGlyph state="bad" />
        This screen
        <small class="warn">has heard nothing from the centre since {clock(app.link().since)}</small>
      </li>
    </Show>
  );
}
