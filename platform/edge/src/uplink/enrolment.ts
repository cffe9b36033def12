/** The identity of the edge: opened, or obtained with a one-time token on the first start. */
import { setTimeout as pause } from 'node:timers/promises';
import { describeError, EnerchainError } from '@enerchain/model';
import { enrol, type HsmTlsKey, hasEnded, type Identity, openIdentity, type Signer } from '@enerchain/trust';
import type { Logger } from 'pino';

/** Pause between attempts while the centre cannot be reached, milliseconds. */
const RETRY = 2_000;

export interface EdgeIdentityOptions {
  readonly dir: string;
  /** Name in the site file; the certificate must carry the same. */
  readonly source: string;
  /** `wss://…` or `https://…` of the centre. */
  readonly url: string;
  readonly token: string | undefined;
  readonly logger: Logger;
  /** Holds the key when that lies in an HSM or TPM. */
  readonly signer?: Signer | undefined;
  /** Holds that of the connections, when they are to have none in a file. */
  readonly tlsInHsm?: HsmTlsKey | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * @throws EnerchainError `edge.identity.missing` without identity and token, `edge.identity.name` when the certificate is
 *   another one's, and what `enrol` throws when the centre refuses; an unreachable centre is waited for
 */
export async function obtainEdgeIdentity(options: EdgeIdentityOptions): Promise<Identity> {
  const { dir, source, token, signer, tlsInHsm } = options;
  let identity: Identity | undefined;
  try {
    identity = await openIdentity(dir, signer, tlsInHsm);
  } catch (error) {
    if (!(error instanceof EnerchainError) || error.code !== 'trust.identity.missing') throw error;
  }
  if (!identity && token === undefined) {
    throw new EnerchainError(
      'caller',
      'edge.identity.missing',
      `the edge '${source}' has no identity in ${dir}; ask the centre for an enrolment token and start it once with that`,
    );
  }
  // With a token, one that has ended is obtained anew for the same key.
  if (identity && token !== undefined && hasEnded(identity)) identity = undefined;
  identity ??= await enrolPatiently(options, token as string);
  if (identity.name !== source || identity.role !== 'edge') {
    throw new EnerchainError(
      'caller',
      'edge.identity.name',
      `the certificate in ${dir} is for ${identity.role} '${identity.name}', the site file is for edge '${source}'`,
    );
  }
  return identity;
}

async function enrolPatiently(
  { dir, url, logger, signer, tlsInHsm, signal }: EdgeIdentityOptions,
  token: string,
): Promise<Identity> {
  const address = new URL(url);
  const base = `https://${address.host}`;
  for (;;) {
    try {
      const identity = await enrol({
        dir,
        token,
        url: base,
        ...(signer ? { signer } : {}),
        tlsInHsm,
        ...(signal ? { signal } : {}),
      });
      logger.info({ name: identity.name, key: identity.signer.origin }, 'enrolled');
      return identity;
    } catch (error) {
      if (!(error instanceof EnerchainError) || error.code !== 'trust.enrol.connect') throw error;
      signal?.throwIfAborted();
      logger.warn({ error: describeError(error) }, 'the centre cannot be reached for the enrolment; trying again');
      await pause(RETRY, undefined, signal ? { signal } : {});
    }
  }
}
