/** Where a value comes from: its way in words, its receipt, the transparency log, and the anchor to check them by. */
import { EnerchainError, Mrid } from '@enerchain/model';
import { AnchorFile } from '@enerchain/provenance';
import Type from 'typebox';
import { ProvenanceJson, provenanceJson } from '../../transparency/steps.ts';
import type { ApiContext, App } from '../context.ts';
import { parseTime } from './values.ts';

const At = Type.Object({
  at: Type.Optional(
    Type.String({ maxLength: 40, description: 'ISO 8601; the last value at or before it. Absent: the newest' }),
  ),
});
/** How long the first checkpoint may take, ms. */
const FIRST_MILLIS = 5_000;
const Hashes = Type.Array(Type.String(), { description: 'SHA-256 in base64' });
const Index = Type.Integer({ minimum: 0 });
const base64 = (hashes: readonly Uint8Array[]) => hashes.map((hash) => Buffer.from(hash).toString('base64'));

export function provenanceRoutes(app: App, { transparency, trust, audit }: ApiContext): void {
  const tags = ['provenance'];
  const { receipts, keeper, rounds } = transparency;

  app.get(
    '/points/:mRID/provenance',
    {
      config: { access: 'values.read' },
      schema: {
        tags,
        summary: 'The way of a value, link by link, as the verification of its receipt finds it',
        params: Type.Object({ mRID: Mrid }),
        querystring: At,
        response: { 200: ProvenanceJson },
      },
    },
    async (request) => {
      const { verdict } = await receipts.make(request.params.mRID, parseTime('at', request.query.at));
      const json = provenanceJson(verdict, trust);
      if (json) return json;
      const why = verdict.findings.map(({ text }) => text).join(' ');
      throw new EnerchainError('local', 'receipt.broken', `the receipt that was made does not hold: ${why}`);
    },
  );

  app.get(
    '/points/:mRID/receipt',
    {
      config: { access: 'values.read' },
      schema: {
        tags,
        summary: 'The receipt of a value: a file for `enerchain verify`, whatever it shows',
        produces: ['application/cbor'],
        params: Type.Object({ mRID: Mrid }),
        querystring: At,
      },
    },
    async (request, reply) => {
      const { mRID } = request.params;
      const { bytes, verdict } = await receipts.make(mRID, parseTime('at', request.query.at));
      await audit.append({
        action: 'receipt.made',
        actor: request.principal?.name ?? 'unknown',
        outcome: 'ok',
        subject: mRID,
        detail: { record: verdict.value?.record ?? null, trust: verdict.trust, holds: verdict.ok },
      });
      return reply
        .type('application/cbor')
        .header('x-enerchain-trust', verdict.trust)
        .header('x-enerchain-holds', String(verdict.ok))
        .send(Buffer.from(bytes));
    },
  );

  app.get(
    '/transparency/checkpoint',
    {
      config: { access: 'local' },
      schema: { tags, summary: 'The newest checkpoint of the log, signed and cosigned', produces: ['text/plain'] },
    },
    async (_request, reply) => {
      // A log that has just begun has its first record in a moment.
      if (!keeper.log.note && !keeper.log.trouble) await keeper.reached(1, AbortSignal.timeout(FIRST_MILLIS));
      const { note, cosigned } = keeper.log;
      const newest = (await rounds.round()) ?? cosigned ?? note;
      if (newest === undefined) {
        throw new EnerchainError(
          'environment',
          'receipt.log',
          keeper.log.trouble?.text ?? 'the log has no checkpoint yet; try again',
        );
      }
      return reply.type('text/plain; charset=utf-8').send(newest);
    },
  );

  app.get(
    '/transparency/consistency',
    {
      config: { access: 'local' },
      schema: {
        tags,
        summary: 'Proof that the log of one size begins with that of another (RFC 9162 § 2.1.4)',
        querystring: Type.Object({ from: Index, to: Index }),
        response: { 200: Type.Object({ from: Index, to: Index, proof: Hashes }) },
      },
    },
    async ({ query: { from, to } }) => ({ from, to, proof: base64(keeper.log.consistency(from, to)) }),
  );

  app.get(
    '/transparency/inclusion',
    {
      config: { access: 'local' },
      schema: {
        tags,
        summary: 'Proof that a record is in the log of a size (RFC 9162 § 2.1.3)',
        querystring: Type.Object({ index: Index, size: Index }),
        response: { 200: Type.Object({ index: Index, size: Index, leaf: Type.String(), proof: Hashes }) },
      },
    },
    async ({ query: { index, size } }) => {
      const proof = base64(keeper.log.inclusion(index, size));
      return { index, size, leaf: Buffer.from(keeper.log.leaf(index)).toString('base64'), proof };
    },
  );

  app.get(
    '/trust/anchor',
    {
      config: { access: 'local' },
      schema: {
        tags,
        summary: 'What a verifier has to believe: authorities, log key, witnesses, policy, revoked certificates',
        response: { 200: AnchorFile },
      },
    },
    async () => transparency.anchor(),
  );
}
