/**
 * The page "Grid state" of the control room: what the power flow has calculated, brought up to date every two seconds. It
 * is served by the service through the centre, in plain DOM and with the classes of the control room.
 */
import { element, setText, Table } from './table.ts';
import { type Solution, viewOf } from './view.ts';

/** What the control room gives to a page. */
interface PageContext {
  select(point: string): void;
}

const SOLUTION = '/api/v1/services/grid-state/solution';
/** ms between two looks. */
const EVERY = 2000;
/** ms after which what is shown is no longer called live. */
const STALE = 10_000;

export function mount(place: HTMLElement, context: PageContext): () => void {
  const style = element('link');
  style.rel = 'stylesheet';
  style.href = new URL('page.css', import.meta.url).href;
  const state = element('p', 'sub', 'Loading …');
  state.setAttribute('role', 'status');
  const facts = element('dl', 'facts');
  const problems = element('div');
  const right = true;
  const select = (point: string): void => context.select(point);
  const voltages = new Table(
    'Voltages of the busbars',
    [
      { title: 'Busbar' },
      { title: 'Voltage', right },
      { title: 'From nominal', right },
      { title: 'Angle', right },
      { title: 'Island', right },
    ],
    select,
    'Within ± 10 % of nominal',
  );
  const loadings = new Table(
    'Lines and transformers',
    [
      { title: 'Equipment' },
      { title: 'Loading', right },
      { title: 'P in', right },
      { title: 'Q in', right },
      { title: 'Losses', right },
    ],
    select,
    'Against its rating',
  );
  const islands = new Table(
    'Islands',
    [
      { title: 'Island' },
      { title: 'State' },
      { title: 'Nodes', right },
      { title: 'Iterations', right },
      { title: 'Fed by' },
      { title: 'Busbars', wide: true },
    ],
    select,
  );
  const tables = element('div', '', facts, problems, voltages.element, loadings.element, islands.element);
  tables.hidden = true;
  const frame = element('div', 'gs', style, element('h2', '', 'Grid state'), state, tables);
  place.append(frame);

  const stop = new AbortController();
  let shownAt: number | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function show(solution: Solution): void {
    const view = viewOf(solution);
    shownAt = performance.now();
    setText(
      state,
      `Calculated at ${new Date(solution.at).toLocaleTimeString([], { hour12: false })} from what the field says; every value is an estimate.`,
    );
    facts.replaceChildren(
      ...view.facts.map(({ name, text, tone }) =>
        element('div', '', element('dt', '', name), element('dd', tone, text)),
      ),
    );
    problems.replaceChildren(...view.problems.map((text) => element('p', 'p2-text', text)));
    voltages.update(view.voltages);
    loadings.update(view.loadings);
    islands.update(view.islands);
    tables.hidden = false;
    frame.classList.remove('stale');
  }

  /** What was shown stays, greyed, with the reason. */
  function fail(why: string): void {
    if (shownAt === undefined) {
      setText(state, why);
    } else if (performance.now() - shownAt > STALE) {
      frame.classList.add('stale');
      setText(state, `Not up to date for ${Math.round((performance.now() - shownAt) / 1000)} s: ${why}`);
    }
  }

  async function look(): Promise<void> {
    try {
      if (document.visibilityState === 'visible') {
        const response = await fetch(SOLUTION, { signal: AbortSignal.any([stop.signal, AbortSignal.timeout(8000)]) });
        const body = (await response.json()) as Solution | { detail?: string };
        if (stop.signal.aborted) return;
        if (response.ok) show(body as Solution);
        else fail((body as { detail?: string }).detail ?? `The service answered ${response.status}.`);
      }
    } catch (error) {
      if (stop.signal.aborted) return;
      fail(error instanceof Error ? error.message : String(error));
    }
    timer = setTimeout(look, EVERY);
  }
  void look();
  return () => {
    stop.abort();
    clearTimeout(timer);
    frame.remove();
  };
}
