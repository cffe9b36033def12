/** The identity of a service: opened, or obtained with a one-time token on the first start. */
import { setTimeout as pause } from 'node:timers/promises';
import { describeError, EnerchainError } from '@enerchain/model';
import { enrol, hasEnded, type Identity, openIdentity } from '@enerchain/trust';
import type { Logger } from 'pino';

/** Pause between attempts while the centre cannot be reached, ms. */
const RETRY = 2000;

/**
 * @throws EnerchainError `service.identity` without identity and token or with somebody else's, and what `enrol` throws
 *   when the centre refuses; an unreachable centre is waited for
 */
export async function serviceIdentity(options: {
  readonly dir: string;
  readonly name: string;
  readonly url: string;
  readonly token: string | undefined;
  readonly logger: Logger;
  readonly signal: AbortSignal | undefined;
}): Promise<Identity> {
  const { dir, name, token, logger, signal } = options;
  let identity: Identity | undefined;
  try {
    identity = await openIdentity(dir);
  } catch (error) {
    if (!(error instanceof EnerchainError) || error.code !== 'trust.identity.missing') throw error;
  }
  if (!identity && token === undefined) {
    throw new EnerchainError(
      'caller',
      'service.identity',
      `the service '${name}' has no identity in ${dir}; ask the centre for an enrolment token and start it once with that`,
    );
  }
  // With a token, one that has ended is obtained anew for the same key.
  if (identity && token !== undefined && hasEnded(identity)) identity = undefined;
  while (!identity) {
    try {
      const url = `https://${new URL(options.url).host}`;
      identity = await enrol({ dir, token: token as string, url, ...(signal ? { signal } : {}) });
      logger.info({ name: identity.name }, 'enrolled');
    } catch (error) {
      if (!(error instanceof EnerchainError) || error.code !== 'trust.enrol.connect') throw error;
      signal?.throwIfAborted();
      logger.warn({ error: describeError(error) }, 'the centre cannot be reached for the enrolment; trying again');
      await pause(RETRY, undefined, signal ? { signal } : {});
    }
  }
  if (identity.role !== 'service' || identity.name !== name) {
    throw new EnerchainError(
      'caller',
      'service.identity',
      `the certificate in ${dir} is for ${identity.role} '${identity.name}', not for service '${name}'`,
    );
  }
  return identity;
}
