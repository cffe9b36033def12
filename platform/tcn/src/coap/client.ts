/** Asks an attester that speaks CHARRA's format for a quote, and says what it is worth. */
import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { describeError, EnerchainError } from '@enerchain/model';
import { type PcrBank, type TpmPublic, verifyQuote } from '@enerchain/tpm2';
import { Agent, request as coapRequest, type IncomingMessage } from 'coap';
import { type CharraResponse, decodeCharraResponse } from '../tap/charra.ts';
import { TAP_LIMITS } from '../tap/elements.ts';
import { encodeTapRequest, type LogRequest, type PcrSelection } from '../tap/request.ts';

export interface CharraTarget {
  readonly host: string;
  readonly port: number;
  /** Name of the key at the attester; CHARRA's own default is `PK.RSA.default`. */
  readonly keyId: string;
  readonly selections: readonly PcrSelection[];
  readonly logs?: readonly LogRequest[];
  /** Milliseconds for all blocks together; default 10 000. */
  readonly timeout?: number;
}

/** CHARRA takes nonces of 20 octets. */
const NONCE_BYTES = 20;

export interface CharraAnswer {
  readonly nonce: Uint8Array;
  readonly response: CharraResponse;
}

/**
 * One question.
 * @throws EnerchainError `tcn.coap.timeout`, `tcn.coap.refused` (fault peer), and what `decodeCharraResponse` throws
 */
export async function askCharra(target: CharraTarget): Promise<CharraAnswer> {
  const nonce = randomBytes(NONCE_BYTES);
  const { keyId, selections, logs = [] } = target;
  const body = encodeTapRequest({ hello: false, keyId, nonce, selections, logs }, { terminated: true });
  return { nonce, response: decodeCharraResponse(await fetch(target, body)) };
}

function fetch({ host, port, timeout = 10_000 }: CharraTarget, body: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    // One of its own, so that closing it ends all repetitions.
    const agent = new Agent({ type: isIP(host) === 6 ? 'udp6' : 'udp4' });
    const request = coapRequest({
      host,
      port,
      method: 'FETCH',
      pathname: '/attest',
      confirmable: true,
      options: { 'Content-Format': 'application/cbor' },
      agent,
    });
    const done = (act: () => void) => {
      clearTimeout(timer);
      request.removeAllListeners('response');
      request.on('error', () => undefined);
      act();
      setImmediate(() => agent.close());
    };
    const where = `${host}:${port}`;
    const timer = setTimeout(
      () =>
        done(() =>
          reject(new EnerchainError('peer', 'tcn.coap.timeout', `no answer from ${where} within ${timeout} ms`)),
        ),
      timeout,
    );
    request.on('response', (response: IncomingMessage) => {
      done(() => {
        const { code, payload } = response;
        if (code === '2.05' && payload.length <= TAP_LIMITS.logsTotal + TAP_LIMITS.attest + TAP_LIMITS.signature) {
          resolve(payload);
          return;
        }
        const text = code === '2.05' ? `${payload.length} octets` : `${code} ${payload.toString('utf8').slice(0, 100)}`;
        reject(new EnerchainError('peer', 'tcn.coap.refused', `${where} answered ${text}`));
      });
    });
    request.on('error', (error: Error) =>
      done(() => reject(new EnerchainError('peer', 'tcn.coap.refused', `${where}: ${describeError(error)}`))),
    );
    request.end(Buffer.from(body));
  });
}

export interface CharraVerdict {
  /**
   * Never `affirming`: nothing binds the quote to the connection, so that it may have been fetched from the real machine by
   * whoever answered.
   */
  readonly status: 'none' | 'warning' | 'contraindicated';
  /** What was found; empty when the quote is as expected. */
  readonly reasons: readonly string[];
}

/** @param pcrs values that the quote must prove; undefined: there is nothing to compare with, and nothing is said */
export function appraiseCharra(
  { nonce, response }: CharraAnswer,
  expected: { readonly akPublic: TpmPublic; readonly pcrs: readonly PcrBank[] | undefined },
): CharraVerdict {
  if (!expected.pcrs) return { status: 'none', reasons: ['there are no reference values'] };
  const { attest, signature } = response;
  const { ok, problems } = verifyQuote({
    attest,
    signature,
    akPublic: expected.akPublic,
    qualifyingData: nonce,
    pcrs: expected.pcrs,
  });
  // A TPM that was switched off hard says so; that is no sign of an attack.
  const findings = problems.filter(({ code }) => code !== 'unsafeClock');
  const status = ok || findings.length === 0 ? 'warning' : 'contraindicated';
  return { status, reasons: findings.map(({ text }) => text) };
}
