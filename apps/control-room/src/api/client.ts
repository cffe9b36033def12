/** Calls to the centre. One place knows the path, the header that marks our writes, and how a problem reads. */
import type {
  AlarmJson,
  BucketHistory,
  CommandJson,
  EventJson,
  GapJson,
  GridModel,
  History,
  LiveValueJson,
  PageJson,
  PointInfo,
  Session,
  SourceStatusJson,
} from './types.ts';

export const API = '/api/v1';

/** A refused or failed call. `message` is the sentence of the problem document (RFC 9457), fit to be shown. */
export class ApiError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
  }
}

let onUnauthorised: () => void = () => {};
/** Called whenever the centre says that nobody is logged in. */
export function whenUnauthorised(handler: () => void): void {
  onUnauthorised = handler;
}

export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`${API}${path}`, {
      method,
      credentials: 'same-origin',
      headers: {
        accept: 'application/json',
        ...(method === 'GET' ? {} : { 'x-enerchain-request': '1' }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, 'The centre does not answer.');
  }
  if (response.ok) return response.status === 204 ? (undefined as T) : ((await response.json()) as T);
  const problem = (await response.json().catch(() => ({}))) as { title?: string; detail?: string };
  // The refusal of a wrong password is no end of a session.
  if (response.status === 401 && path !== '/session') onUnauthorised();
  throw new ApiError(
    response.status,
    problem.detail ?? problem.title ?? `The centre answered ${response.status} ${response.statusText}.`,
  );
}

type Query = Record<string, string | number | undefined>;
export function query(values: Query): string {
  const set = Object.entries(values).filter(([, value]) => value !== undefined && value !== '');
  return set.length ? `?${new URLSearchParams(set.map(([key, value]) => [key, String(value)]))}` : '';
}

/** The limit of one page of points; the directory is read page by page until it ends. */
const POINTS_PER_PAGE = 5000;

export const api = {
  setUp: (token: string, user: string, password: string) => call<Session>('POST', '/setup', { token, user, password }),
  logIn: (user: string, password: string) => call<Session>('POST', '/session', { user, password }),
  /** Who is logged in; `user` is null when nobody is. */
  session: () => call<Session | { user: null }>('GET', '/session'),
  logOut: () => call<void>('DELETE', '/session'),

  /** `undefined` when no grid model has been loaded yet. */
  grid: async (): Promise<GridModel | undefined> => {
    try {
      return await call<GridModel>('GET', '/grid');
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  },
  allPoints: async (): Promise<PointInfo[]> => {
    const points: PointInfo[] = [];
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page: { items: PointInfo[]; next?: string } = await call(
        'GET',
        `/points${query({ limit: POINTS_PER_PAGE, cursor })}`,
      );
      points.push(...page.items);
      cursor = page.items.length ? page.next : undefined;
    }
    return points;
  },
  values: (points: readonly string[]) =>
    call<{ values: LiveValueJson[] }>('GET', `/values${query({ points: points.join(',') })}`),
  history: (point: string, from: Date, to: Date, limit = 20_000) =>
    call<History>('GET', `/history/${point}${query({ from: from.toISOString(), to: to.toISOString(), limit })}`),
  buckets: (point: string, from: Date, to: Date, seconds: number) =>
    call<BucketHistory>(
      'GET',
      `/history/${point}${query({ from: from.toISOString(), to: to.toISOString(), bucket: seconds })}`,
    ),
  events: (filter: { from?: string; to?: string; source?: string; point?: string; limit?: number; cursor?: string }) =>
    call<{ items: EventJson[]; next?: string }>('GET', `/events${query(filter)}`),
  alarms: (state: 'active' | 'unacknowledged' | 'all') =>
    call<{ items: AlarmJson[] }>('GET', `/alarms${query({ state })}`),
  acknowledge: (id: AlarmJson['id'], comment?: string) =>
    call<AlarmJson>('POST', `/alarms/${id}/acknowledge`, comment ? { comment } : {}),
  prepare: (point: string, value: number) => call<CommandJson>('POST', '/commands', { point, value }),
  /** Newest first. */
  commands: (limit: number) => call<{ items: CommandJson[] }>('GET', `/commands${query({ limit })}`),
  command: (id: string) => call<CommandJson>('GET', `/commands/${id}`),
  step: (id: string, step: 'select' | 'operate' | 'cancel') => call<CommandJson>('POST', `/commands/${id}/${step}`, {}),
  sources: () => call<{ items: SourceStatusJson[] }>('GET', '/sources'),
  gaps: (limit = 200) => call<{ items: GapJson[] }>('GET', `/gaps${query({ limit })}`),
  pages: () => call<{ items: PageJson[] }>('GET', '/pages'),
};
