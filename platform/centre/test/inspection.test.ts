/** Devices over the API: who may look, what is said when it is not possible, and that files are audited. */
import { type PieceAsker, sendPieces } from '@enerchain/link';
import { type After, EnerchainError, type InspectionQuestion, parseQuestion } from '@enerchain/model';
import type { CborValue } from '@enerchain/trust';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { InspectionsOptions } from '../src/inspection/inspections.ts';
import { type Face, newFace } from './face.ts';

const IED = '/sources/edge-nord/endpoints/bcu-1/ied';
const GOOSE = { at: '1', link: 'eth1', subscriptions: [] };

let face: Face;
let questions: InspectionQuestion[];
/** What the gateway does with a question: octets, or an error. */
let answer: (question: InspectionQuestion) => Uint8Array | Promise<Uint8Array>;

const gateway: PieceAsker = {
  async *stream(method, params, options) {
    expect(method).toBe('inspect');
    const question = parseQuestion(params);
    questions.push(question);
    const items: CborValue[] = [];
    const signal = options?.signal ?? new AbortController().signal;
    const given = new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined)));
    const octets = await Promise.race([answer(question), given]);
    if (!octets) return null;
    const context = { signal, write: async (item: CborValue) => void items.push(item) };
    const end = await sendPieces([octets], context, { limit: 1e9 });
    yield* items;
    return end;
  },
};
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

async function setUp(more: Partial<InspectionsOptions> = {}): Promise<void> {
  face = await newFace({ inspection: { peerOf: (name) => (name === 'edge-nord' ? gateway : undefined), ...more } });
  face.sources.set('edge-nord', true);
  face.sources.set('edge-fort', false);
}
beforeEach(async () => {
  questions = [];
  answer = () => json(GOOSE);
  await setUp();
});
afterEach(() => face.close());

async function ask(path: string, token: string | undefined = face.admin, payload?: object) {
  const headers = { host: 'localhost:8080', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
  const method = payload ? 'POST' : 'GET';
  return face.app.inject({ method, url: `/api/v1${path}`, headers, ...(payload ? { payload } : {}) });
}
const refusal = async (path: string, token?: string) => {
  const { statusCode, body } = await ask(path, token);
  return [statusCode, (JSON.parse(body) as { code: string }).code];
};
const audited = () =>
  face.log
    .audits()
    .filter(({ action }) => action === 'device.file')
    .map(({ actor, outcome, subject, detail }) => ({ actor, outcome, subject, ...detail }));

describe('a device over the API', () => {
  it('is shown to who may see values, as its gateway says', async () => {
    const viewer = await face.tokenWith(['VIEWER']);
    const { statusCode, body } = await ask(`${IED}/goose`, viewer);
    expect([statusCode, JSON.parse(body)]).toEqual([200, GOOSE]);
    expect(questions).toMatchObject([{ ask: 'goose', endpoint: 'bcu-1' }]);
    expect(
      (await face.app.inject({ method: 'GET', url: `/api/v1${IED}/goose`, headers: { host: 'localhost:8080' } }))
        .statusCode,
    ).toBe(401);
    expect(await refusal(`${IED}/goose`, await face.tokenWith(['SECAUD']))).toEqual([403, 'api.forbidden']);
  });

  it('has values read now', async () => {
    answer = (question) =>
      json({
        at: '1',
        results: question.ask === 'read' ? question.items.map((item) => ({ ...item, value: true })) : [],
      });
    const items = [{ reference: 'BCU1CTRL/QA1XCBR1.Pos.stVal', fc: 'ST' }];
    const { statusCode, body } = await ask(`${IED}/read`, face.admin, { items });
    expect([statusCode, JSON.parse(body)]).toEqual([200, { at: '1', results: [{ ...items[0], value: true }] }]);
    expect((await ask(`${IED}/read`, face.admin, { items: [] })).statusCode).toBe(400);
  });

  it('that cannot be shown says why', async () => {
    expect(await refusal('/sources/edge-fort/endpoints/bcu-1/ied')).toEqual([503, 'inspection.away']);
    expect(await refusal('/sources/edge-fremd/endpoints/bcu-1/ied')).toEqual([404, 'inspection.source']);
    for (const [fault, code, status] of [
      ['caller', 'inspection.refused', 403],
      ['caller', 'inspection.endpoint', 404],
      ['unsupported', 'inspection.none', 501],
      ['unsupported', 'link.method', 501],
      ['environment', 'inspection.busy', 429],
      ['peer', 'inspection.late', 504],
      ['environment', 'edge.iec61850.away', 503],
      ['environment', 'link.closed', 503],
      ['peer', 'access.object-access-denied', 502],
    ] as const) {
      answer = () => Promise.reject(new EnerchainError(fault, code, 'a sentence'));
      const { statusCode, body } = await ask(`${IED}/model`);
      expect([statusCode, JSON.parse(body)]).toMatchObject([status, { code, detail: 'a sentence' }]);
    }
    for (const wrong of [Buffer.from('{'), json({ at: 1 }), json([]), new Uint8Array(0)]) {
      answer = () => wrong;
      expect((await ask(`${IED}/model`)).statusCode).toBe(502);
    }
  });

  it('is asked a few questions at a time', async () => {
    await face.close();
    await setUp({ limits: { perSource: 1 } });
    const open = Promise.withResolvers<Uint8Array>();
    answer = () => open.promise;
    const first = ask(`${IED}/goose`);
    await until(() => questions.length === 1);
    expect(await refusal(`${IED}/goose`)).toEqual([429, 'inspection.busy']);
    open.resolve(json(GOOSE));
    expect((await first).statusCode).toBe(200);
    expect((await ask(`${IED}/goose`)).statusCode).toBe(200);
  });

  it('that does not answer is not waited for', async () => {
    await face.close();
    const timers: { wait: number; action: () => void }[] = [];
    const after: After = (wait, action) => {
      timers.push({ wait, action });
      return () => undefined;
    };
    await setUp({ after });
    answer = () => new Promise(() => undefined);
    const late = refusal(`${IED}/model`);
    await until(() => questions.length === 1);
    expect(timers.map(({ wait }) => wait)).toEqual([30_000, 30_000]);
    timers[0]!.action();
    expect(await late).toEqual([504, 'link.timeout']);
  });
});

describe('files of a device', () => {
  const record = Buffer.from('station,dev,1999\r\n'.repeat(2_000));

  it('are fetched by who has the right to, and audited before and after', async () => {
    answer = () => record;
    const engineer = await face.tokenWith(['ENGINEER']);
    const response = await ask(`${IED}/file?name=${encodeURIComponent('COMTRADE/Störung 1.cfg')}`, engineer);
    expect(response.statusCode).toBe(200);
    expect(response.rawPayload.equals(record)).toBe(true);
    expect(response.headers['content-disposition']).toBe(
      `attachment; filename="St_rung_1.cfg"; filename*=UTF-8''St%C3%B6rung%201.cfg`,
    );
    expect(audited()).toMatchObject([
      { outcome: 'ok', subject: 'edge-nord/bcu-1', name: 'COMTRADE/Störung 1.cfg', state: 'asked for' },
      { outcome: 'ok', state: 'complete', octets: record.length },
    ]);
  });

  it('are nothing for who may only see values', async () => {
    for (const role of ['VIEWER', 'OPERATOR', 'INSTALLER', 'SECAUD'] as const) {
      expect(await refusal(`${IED}/file?name=f`, await face.tokenWith([role]))).toEqual([403, 'api.forbidden']);
    }
    expect(questions).toEqual([]);
    expect(audited()).toEqual([]);
  });

  it('that are not there are a problem, and audited as one', async () => {
    answer = () => Promise.reject(new EnerchainError('peer', 'files.refused', 'the device has no such file'));
    expect(await refusal(`${IED}/file?name=gone.cfg`)).toEqual([502, 'files.refused']);
    expect(audited()).toMatchObject([{ state: 'asked for' }, { outcome: 'failed', octets: 0 }]);
    expect((await ask(`${IED}/file?name=${encodeURIComponent('a\nb')}`)).statusCode).toBe(400);
  });
});
