import { createEffect, createMemo, createSignal, onCleanup, Show, untrack } from 'solid-js';
import type { PageJson } from '../../api/types.ts';
import { useApp } from '../../app.ts';
import { Notice } from '../../ui/parts.tsx';

/** What a page of a service is given. It lives in the frame and gets values from the one stream. */
export interface PageContext {
  readonly path: string;
  value(point: string): { value: number | string | null; quality: number; sourceTime: number } | undefined;
  /** Calls back at most once per frame; returns the end of it. */
  subscribe(point: string, listener: () => void): () => void;
  select(point: string): void;
}
type Mount = (element: HTMLElement, context: PageContext) => undefined | (() => void);

/** A page that a service registered: its module comes from the centre, so from the page's own origin. */
export function ExtensionPage(props: { page: PageJson }) {
  const app = useApp();
  const [problem, setProblem] = createSignal<string>();
  let place!: HTMLDivElement;
  const module = createMemo(() => props.page.module);
  createEffect(() => {
    // Mounted anew when its code has changed, not whenever the list of pages was fetched.
    module();
    const page = untrack(() => props.page);
    let gone = false;
    let dispose: (() => void) | undefined;
    setProblem(undefined);
    const url = new URL(page.module, location.origin);
    const load = async () => {
      if (url.origin !== location.origin) throw new Error(`${page.module} is not of this origin and was not loaded.`);
      const module = (await import(/* @vite-ignore */ url.href)) as { mount?: Mount };
      if (typeof module.mount !== 'function') throw new Error(`${page.module} exports no mount().`);
      if (gone) return;
      dispose = module.mount(place, {
        path: page.path,
        value: (point) => app.values.get(point),
        subscribe: (point, listener) => app.values.subscribe(point, listener),
        select: (point) => app.select({ kind: 'point', mRID: point }),
      });
    };
    load().catch((error: unknown) => !gone && setProblem(error instanceof Error ? error.message : String(error)));
    onCleanup(() => {
      gone = true;
      dispose?.();
      place.replaceChildren();
    });
  });
  return (
    <div class="sheet scroll padded">
      <Show when={problem()}>
        {(why) => (
          <Notice title={`${props.page.title} could not be loaded`} tone="error">
            {why()}
          </Notice>
        )}
      </Show>
      <div ref={place} />
    </div>
  );
}
