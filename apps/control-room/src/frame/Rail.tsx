import { For } from 'solid-js';
import { useApp } from '../app.ts';
import { Icon, type IconName } from '../ui/glyphs.tsx';

export const PLACES: readonly { readonly id: IconName & string; readonly title: string }[] = [
  { id: 'grid', title: 'Grid' },
  { id: 'outages', title: 'Outages' },
  { id: 'points', title: 'Points' },
  { id: 'trends', title: 'Trends' },
  { id: 'alarms', title: 'Alarms' },
  { id: 'events', title: 'Events' },
  { id: 'gateways', title: 'Gateways' },
  { id: 'ieds', title: 'IEDs' },
  { id: 'trust', title: 'Trust' },
];

/** An icon that a service brought: only path data, never markup. */
const safePath = (icon: string | undefined): string | undefined =>
  icon && /^[Mm][\d\s.,a-zA-Z-]*$/.test(icon) ? icon : undefined;

/** The places, the platform's own first, then what services added. */
export function Rail(props: { place: string }) {
  const app = useApp();
  return (
    <nav class="rail" aria-label="Places">
      <For each={PLACES}>
        {(place) => (
          <a
            href={`#/${place.id}`}
            classList={{ on: props.place === place.id }}
            aria-current={props.place === place.id ? 'page' : undefined}
          >
            <Icon name={place.id} />
            {place.title}
          </a>
        )}
      </For>
      <For each={app.pages()}>
        {(page) => (
          <a
            href={`#/page/${encodeURIComponent(page.id)}`}
            classList={{ on: props.place === page.id }}
            aria-current={props.place === page.id ? 'page' : undefined}
          >
            <Icon {...(safePath(page.icon) ? { path: safePath(page.icon)! } : { name: 'page' as const })} />
            {page.title}
          </a>
        )}
      </For>
    </nav>
  );
}
