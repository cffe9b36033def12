import { Match, Switch } from 'solid-js';
import type { Priority } from '../api/types.ts';

const PRIORITY_PATH: Readonly<Record<Priority, string>> = {
  1: 'M1.5 1.5h9v9h-9z',
  2: 'M6 1 11.2 10.8H.8z',
  3: 'M6 .6 11.4 6 6 11.4.6 6z',
  4: 'M6 1.2a4.8 4.8 0 1 1 0 9.6 4.8 4.8 0 0 1 0-9.6z',
};
export const PRIORITY_WORDS: Readonly<Record<Priority, string>> = { 1: 'urgent', 2: 'high', 3: 'medium', 4: 'low' };

/** Priority by shape: square, triangle, diamond, circle; filled while it waits for acknowledgement, else an outline. */
export function PriorityGlyph(props: { priority: Priority; filled: boolean; quiet?: boolean }) {
  return (
    <svg
      class="glyph"
      viewBox="0 0 12 12"
      role="img"
      aria-label={`priority ${props.priority}, ${PRIORITY_WORDS[props.priority]}`}
    >
      <path
        d={PRIORITY_PATH[props.priority]}
        class={props.quiet ? 'glyph-quiet' : `p${props.priority}-${props.filled ? 'fill' : 'line'}`}
      />
    </svg>
  );
}

export function CheckGlyph(props: { state: 'ok' | 'warn' | 'bad' }) {
  return (
    <svg class="glyph" viewBox="0 0 14 14" aria-hidden="true">
      <Switch>
        <Match when={props.state === 'ok'}>
          <path d="m3 7 3 3 5-6" class="stroke-ok" />
        </Match>
        <Match when={props.state === 'warn'}>
          <g class="stroke-warn">
            <circle cx="7" cy="7" r="5" />
            <path d="M7 4.2v3.6M7 9.6v.6" />
          </g>
        </Match>
        <Match when={props.state === 'bad'}>
          <path d="m3.5 3.5 7 7m0-7-7 7" class="stroke-bad" />
        </Match>
      </Switch>
    </svg>
  );
}

const ICONS = {
  grid: 'M3 5h14M10 5v5M5 10h10M5 10v5M15 10v5',
  // A line between two busbars, cut.
  outages: 'M4 4v12M16 4v12M4 10h4M12 10h4M8.5 12.5l3 -5',
  points: 'M4 5h3M4 10h3M4 15h3M10 5h6M10 10h6M10 15h6',
  trends: 'M2 14l5-6 4 4 7-8',
  alarms: 'M4 15h12M10 3a5 5 0 0 1 5 5v4l1 3H4l1-3V8a5 5 0 0 1 5-5z',
  events: 'M4 4h12M4 8h12M4 12h8M4 16h10',
  gateways: 'M4 4h12v5H4zM4 12h12v5H4zM7 6.5h.5M7 14.5h.5M10 6.5h3M10 14.5h3',
  // A device with its terminals.
  ieds: 'M5 4h10v12H5zM2 7h3M2 10h3M2 13h3M15 7h3M15 10h3M15 13h3M8 8h4',
  trust: 'M10 2 17 5v5c0 4-3 6.6-7 8-4-1.4-7-4-7-8V5z',
  page: 'M5 3h10v14H5zM8 7h4M8 10h4',
  sun: 'M10 7a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM10 2v2M10 16v2M2 10h2M16 10h2M4.3 4.3l1.4 1.4M14.3 14.3l1.4 1.4M4.3 15.7l1.4-1.4M14.3 5.7l1.4-1.4',
  moon: 'M16 12.5A7 7 0 0 1 7.5 4 7 7 0 1 0 16 12.5z',
  key: 'M6.5 9a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM9.4 10.2 17 3M13.5 6.3l2.8 2.9',
  out: 'M8 4H4v12h4M9 10h8M14 7l3 3-3 3',
  close: 'M5 5l10 10M15 5 5 15',
} as const;
export type IconName = keyof typeof ICONS;

export function Icon(props: { name?: IconName; path?: string; size?: number }) {
  return (
    <svg class="icon" width={props.size ?? 20} height={props.size ?? 20} viewBox="0 0 20 20" aria-hidden="true">
      <path d={props.path ?? ICONS[props.name ?? 'page']} />
    </svg>
  );
}
