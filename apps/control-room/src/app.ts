/** What the whole control room shares: who is logged in, the model, the points, the live state, what is selected. */
import { createContext, createMemo, createSignal, useContext } from 'solid-js';
import { api, whenUnauthorised } from './api/client.ts';
import { trustApi, type ValueTrust } from './api/trust.ts';
import type { CommandJson, GapJson, GridModel, PageJson, PointInfo, Session, SourceStatusJson } from './api/types.ts';
import { type KnownCommands, withCommand } from './commands/known.ts';
import { Drawings } from './diagram/drawings.ts';
import { drawsWhole } from './diagram/layout.ts';
import { CALCULATION, type EquipmentPoints, measurementsOf, type ValueMode } from './diagram/measurements.ts';
import { type Scale, scaleOf } from './format/number.ts';
import { AlarmBook } from './live/alarms.ts';
import { ClockOffset } from './live/clock.ts';
import type { LinkState } from './live/connection.ts';
import { EstimateBook } from './live/estimate.ts';
import { EventBook } from './live/events.ts';
import { openStream } from './live/stream.ts';
import { TrustBook } from './live/trust.ts';
import { ValueStore } from './live/values.ts';
import { isBadState, type NodeState, shownTrust, stateOf } from './trust/state.ts';
import { createWhatIf } from './whatif/store.ts';

export type Selection = { readonly kind: 'equipment' | 'point'; readonly mRID: string };
/** `undefined` while loading, an error when it failed. */
export type Loaded<T> = T | Error | undefined;

const COMMANDS_KEPT = 50;
/** ms after a change of trust in which others of the same cause will have come. */
const TRUST_AFTER = 500;
/** ms after the connect of a service in which it will have registered its pages. */
const PAGES_AFTER = 2000;

export function createApp() {
  const [session, setSession] = createSignal<Session | null | undefined>(undefined);
  const [unreachable, setUnreachable] = createSignal<string>();
  const [grid, setGrid] = createSignal<Loaded<GridModel | null>>(undefined);
  const [points, setPoints] = createSignal<Loaded<readonly PointInfo[]>>(undefined);
  const [sources, setSources] = createSignal<readonly SourceStatusJson[]>([]);
  const [gaps, setGaps] = createSignal<readonly GapJson[]>([]);
  const [pages, setPages] = createSignal<readonly PageJson[]>([]);
  const [commands, setCommands] = createSignal<KnownCommands>(new Map());
  const [link, setLink] = createSignal<{ state: LinkState; since: Date; reason?: string }>({
    state: 'connecting',
    since: new Date(),
  });
  const [selection, setSelection] = createSignal<Selection>();
  const [now, setNow] = createSignal(new Date());
  const [booksLoaded, setBooksLoaded] = createSignal(false);
  const [valueMode, setValueMode] = createSignal<ValueMode>('measured');
  const values = new ValueStore((callback) => requestAnimationFrame(callback));
  const alarms = new AlarmBook();
  const events = new EventBook();
  const trust = new TrustBook();
  const clock = new ClockOffset();

  setInterval(() => setNow(new Date(Date.now() - clock.offset)), 1000);

  const pointById = createMemo<ReadonlyMap<string, PointInfo>>(() => {
    const list = points();
    return new Map(Array.isArray(list) ? list.map((point) => [point.mRID, point]) : []);
  });
  const model = createMemo(() => {
    const loaded = grid();
    return loaded && !(loaded instanceof Error) ? loaded : undefined;
  });
  const equipmentById = createMemo(() => new Map((model()?.equipment ?? []).map((each) => [each.mRID, each])));
  const measurements = createMemo<ReadonlyMap<string, EquipmentPoints>>(() => {
    const list = points();
    const of = model();
    return of && Array.isArray(list) ? measurementsOf(of, list) : new Map();
  });
  const drawings = new Drawings(startWorker());
  const whatIf = createWhatIf(model);
  const estimate = new EstimateBook();
  /** Whether the grid-state service has said anything yet. */
  const calculated = () => {
    for (const each of measurements().values())
      if (each.calculated.U) return values.get(each.calculated.U.mRID) !== undefined;
    return false;
  };
  const activeAlarms = createMemo(() => alarms.active());
  /** The alarms of an equipment or point, the gravest first. */
  const alarmsByThing = createMemo(() => {
    const found = new Map<string, ReturnType<typeof activeAlarms>>();
    const add = (key: string, alarm: ReturnType<typeof activeAlarms>[number]) =>
      found.set(key, [...(found.get(key) ?? []), alarm]);
    for (const alarm of activeAlarms()) {
      if (!alarm.point) continue;
      add(alarm.point, alarm);
      const equipment = pointById().get(alarm.point)?.equipment;
      if (equipment) add(equipment, alarm);
    }
    return found;
  });

  const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
  /** Each as it comes: the diagram is laid out while the points are still under way. */
  async function loadModel(): Promise<void> {
    const newGrid = api.grid().then((found) => found ?? null, asError);
    const newPoints = api.allPoints().catch(asError);
    // What is on the screen is better than an error message in its place.
    await Promise.all([
      newGrid.then((found) => (found instanceof Error && model() ? undefined : setGrid(found))),
      newPoints.then((found) => (found instanceof Error && Array.isArray(points()) ? undefined : setPoints(found))),
    ]);
  }

  let refetching: Promise<void> | undefined;
  let again = false;
  /**
   * Fetches everything of which the stream tells only the changes: on connect, and whenever a resume was not possible.
   * Asked for while it runs, it runs once more, since the answers under way may be older than what was missed.
   */
  function refetch(): Promise<void> {
    if (refetching) {
      again = true;
      return refetching;
    }
    refetching = (async () => {
      do {
        again = false;
        await Promise.allSettled([
          loadModel(),
          alarms.refetch(() => api.alarms('active')),
          api.events({ limit: 500 }).then(({ items }) => events.add(items)),
          api.sources().then(({ items }) => setSources(items)),
          api.gaps().then(({ items }) => setGaps(items)),
          api.pages().then(({ items }) => setPages(items)),
          // Orders of others may wait for a second person since before this screen was there.
          api.commands(COMMANDS_KEPT).then(({ items }) => {
            for (const command of items.reverse()) if (!command.final) applyCommand(command);
          }),
          loadTrust(),
        ]);
        setBooksLoaded(true);
      } while (again);
      refetching = undefined;
    })();
    return refetching;
  }

  /** A service that has come may add pages; it says so shortly after. The page of one that has gone tells that itself. */
  let pagesSoon: ReturnType<typeof setTimeout> | undefined;
  function loadPagesSoon(): void {
    clearTimeout(pagesSoon);
    pagesSoon = setTimeout(() => {
      // What is known stays when the answer does not come.
      api.pages().then(
        ({ items }) => setPages(items),
        () => {},
      );
      void estimate.findRoutes();
    }, PAGES_AFTER);
  }

  const loadTrust = (): Promise<void> => trust.refetch(trustApi.all);
  /** The stream tells the nodes; what their links and requests have become is asked for once they have come to rest. */
  let trustAwaited = false;
  function loadTrustSoon(): void {
    if (trustAwaited) return;
    trustAwaited = true;
    setTimeout(() => {
      trustAwaited = false;
      if (closeStream) void loadTrust();
    }, TRUST_AFTER);
  }
  /** The nodes that are bad at this moment; changes only when one becomes so or ceases to be. */
  const badNodes = createMemo<ReadonlyMap<string, NodeState>>(
    () => {
      const states = (trust.known()?.nodes ?? []).map((node) => [node.node, stateOf(node, now())] as const);
      return new Map(states.filter(([, state]) => isBadState(state)));
    },
    new Map(),
    { equals: (a, b) => a.size === b.size && [...a].every(([node, state]) => b.get(node) === state) },
  );

  const applyCommand = (command: CommandJson) => setCommands((known) => withCommand(known, command, COMMANDS_KEPT));

  let closeStream: (() => void) | undefined;
  function connect(): void {
    closeStream?.();
    closeStream = openStream({
      values: (list) => values.apply(list),
      event: (event) => events.apply(event),
      alarm: (alarm) => alarms.apply(alarm),
      command: applyCommand,
      source: (status) => {
        const before = sources().find(({ source }) => source === status.source);
        if (status.role === 'service' && status.connected && !before?.connected) loadPagesSoon();
        if (status.source === CALCULATION && !status.connected) estimate.forgetRoutes();
        setSources((known) =>
          [...known.filter(({ source }) => source !== status.source), status].sort((a, b) =>
            a.source.localeCompare(b.source),
          ),
        );
      },
      gap: (gap) => setGaps((known) => [gap, ...known.filter(({ offset }) => offset !== gap.offset)].slice(0, 500)),
      grid: () => void loadModel(),
      trust: (nodes) => {
        if (trust.apply(nodes)) loadTrustSoon();
      },
      refetch: () => void refetch(),
      restarted: () => values.forgetOffsets(),
      serverTime: (millis) => clock.hear(millis, Date.now()),
      state: (state, reason) => {
        if (state === 'unauthorised') return logOutHere();
        // A centre that comes back has its services only after a while.
        if (state !== 'live') estimate.forgetRoutes();
        else if (link().state !== 'live') void estimate.findRoutes();
        // `since` is when the data stopped, not when the last attempt failed.
        setLink((known) => ({
          state,
          since: known.state === state ? known.since : new Date(),
          ...(reason ? { reason } : {}),
        }));
      },
      snapshot: () => values.snapshot(),
    });
  }

  function logOutHere(): void {
    closeStream?.();
    closeStream = undefined;
    clearTimeout(pagesSoon);
    whatIf.end();
    setSession(null);
  }
  whenUnauthorised(logOutHere);

  function enter(found: Session): void {
    setSession(found);
    setUnreachable(undefined);
    if (found.rights.includes('values.read')) connect();
  }

  const scales = new Map<string, Scale>();
  /** The scale in which a point is shown everywhere, chosen once from its limits or its first value. */
  function scaleFor(point: PointInfo): Scale {
    const known = scales.get(point.mRID);
    if (known) return known;
    const first = values.number(point.mRID);
    const scale = scaleOf(point, first);
    if (first) scales.set(point.mRID, scale);
    return scale;
  }

  return {
    session,
    scaleFor,
    unreachable,
    grid,
    model,
    points,
    pointById,
    equipmentById,
    measurements,
    sources,
    gaps,
    pages,
    commands,
    applyCommand,
    link,
    live: () => link().state === 'live',
    selection,
    select: (chosen: Selection | undefined) => setSelection(chosen),
    now,
    clock,
    values,
    alarms,
    activeAlarms,
    alarmsByThing,
    events,
    trust,
    loadTrust,
    badNodes,
    /** Trust of a value of a source as it is shown now; its own word is that of the moment it came. */
    trustOf: (source: string, own: ValueTrust | undefined): ValueTrust | undefined =>
      shownTrust(own, badNodes().get(source)),
    booksLoaded,
    /** Whether a diagram shows what is measured, what is estimated, or how they differ. */
    valueMode,
    setValueMode,
    drawings,
    /** Whether the overview shows every equipment, not only a box for each station. */
    drawsWhole: () => {
      const of = model();
      return of !== undefined && drawsWhole(of);
    },
    whatIf,
    estimate,
    calculated,
    reload: refetch,
    enter,
    /** Finds out who is logged in; called once at the start, and again by hand when the centre did not answer. */
    async start(): Promise<void> {
      try {
        const found = await api.session();
        if (found.user === null) setSession(null);
        else enter(found);
      } catch (error) {
        setUnreachable(error instanceof Error ? error.message : String(error));
      }
    },
    async logOut(): Promise<void> {
      await api.logOut().catch(() => {}); // the session ends here in any case
      logOutHere();
    },
    /** Why this user may not do something, `undefined` when they may. */
    refusal(right: string): string | undefined {
      if (link().state !== 'live') return 'The connection to the centre is lost.';
      // A trial commands nothing: not even what is seen beside it can be operated.
      if (whatIf.active() && right.startsWith('commands.')) return 'This is “what if”; go back to live to operate.';
      const who = session();
      if (who?.rights.includes(right)) return undefined;
      return `${who?.user ?? 'This user'} (${who?.roles.join(', ') || 'no role'}) has no right ${right}.`;
    },
  };
}

/** Nothing where the browser has no workers, or may not load this one. */
function startWorker(): Worker | undefined {
  try {
    return new Worker(new URL('./diagram/layout-worker.ts', import.meta.url), { type: 'module' });
  } catch {
    return undefined;
  }
}

export type App = ReturnType<typeof createApp>;
export const AppContext = createContext<App>();
export function useApp(): App {
  const app = useContext(AppContext);
  if (!app) throw new Error('the control room is not mounted');
  return app;
}
