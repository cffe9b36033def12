/** The nodes of the system and what is known of them, quarantine and release, certificates. */
import Type from 'typebox';
import type { Principal } from '../../accounts/accounts.ts';
import { detailJson, NodeDetailJson, NodeTrustJson, nodeJson, TrustJson, trustJson } from '../../trust/json.ts';
import type { ApiContext, App } from '../context.ts';
import { ApiError } from '../problem.ts';

const Node = Type.Object({ node: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$' }) });
const Reason = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 500 }) });
const DateTime = Type.String({ description: 'ISO 8601' });

export const TrustCertificateJson = Type.Object(
  {
    name: Type.String(),
    role: Type.String(),
    fingerprint: Type.String({ description: 'SHA-256 of the certificate, hex; of the public key for that of the log' }),
    notBefore: DateTime,
    notAfter: Type.String({ description: 'ISO 8601; in the year 9999: it has no end' }),
    keyOrigin: Type.Union([Type.Enum(['file', 'hsm', 'tpm'] as const), Type.Null()]),
    revoked: Type.Boolean(),
    use: Type.Enum(['identity', 'attestation', 'connections', 'log', 'authority'] as const),
  },
  { $id: 'TrustCertificate' },
);
export type TrustCertificateJson = Type.Static<typeof TrustCertificateJson>;

export function trustRoutes(app: App, { trust, trustCertificates, clock }: ApiContext): void {
  const keeper = () => {
    if (trust) return trust;
    throw new ApiError(404, 'trust.none', 'This centre keeps no trust: it was started without a policy.');
  };
  const known = (name: string) => {
    const found = keeper().get(name);
    if (found) return found;
    throw new ApiError(404, 'trust.node.unknown', `There is no node ${name}.`);
  };

  /** A token is nobody: whoever makes one could be their own second person with it. */
  const person = (principal: Principal): string => {
    if (principal.kind === 'user') return principal.name;
    const text = 'A release takes two persons who are logged in; a token cannot stand for one. Nothing was done.';
    throw new ApiError(403, 'trust.release.person', text);
  };

  app.get(
    '/trust',
    {
      config: { access: 'values.read' },
      schema: {
        tags: ['trust'],
        summary: 'Policy, nodes, and what they say of each other',
        response: { 200: TrustJson },
      },
    },
    async () => trustJson(keeper(), clock.now()),
  );

  app.get(
    '/trust/nodes/:node',
    {
      config: { access: 'values.read' },
      schema: { tags: ['trust'], params: Node, response: { 200: NodeDetailJson } },
    },
    async ({ params }) => detailJson(keeper(), known(params.node), clock.now()),
  );

  app.post(
    '/trust/nodes/:node/quarantine',
    {
      config: { access: 'trust.write' },
      schema: {
        tags: ['trust'],
        summary: 'Marks the values of a node as distrusted and refuses commands through it',
        params: Node,
        body: Reason,
        response: { 200: NodeTrustJson },
      },
    },
    async ({ params, body, principal }) => {
      const { node } = known(params.node);
      keeper().quarantine(node, body.reason, (principal as Principal).name);
      return nodeJson(keeper(), known(node), clock.now());
    },
  );

  app.post(
    '/trust/nodes/:node/release',
    {
      config: { access: 'trust.write' },
      schema: {
        tags: ['trust'],
        summary: 'Asks for the release of a node from quarantine; another person approves it',
        params: Node,
        body: Reason,
        response: { 202: Type.Object({ id: Type.String() }) },
      },
    },
    async ({ params, body, principal }, reply) => {
      const { node } = known(params.node);
      const { id } = keeper().requestRelease(node, body.reason, person(principal as Principal));
      return reply.code(202).send({ id });
    },
  );

  app.post(
    '/trust/releases/:id/approve',
    {
      config: { access: 'trust.write' },
      schema: {
        tags: ['trust'],
        summary: 'The second person lets the node in again',
        params: Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) }),
        response: { 200: NodeTrustJson },
      },
    },
    async ({ params, principal }) => {
      const node = keeper().approveRelease(params.id, person(principal as Principal));
      return nodeJson(keeper(), node, clock.now());
    },
  );

  app.get(
    '/trust/certificates',
    {
      config: { access: 'values.read' },
      schema: {
        tags: ['trust'],
        summary: 'Certificates that have not ended, and where their keys live',
        response: { 200: Type.Array(TrustCertificateJson) },
      },
    },
    async () => trustCertificates(),
  );
}
