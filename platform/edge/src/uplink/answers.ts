/** What the gateway answers when the centre asks: its evidence, cosignatures, views into devices, its part in the network. */
import { EVIDENCE_METHOD, type ProcessAttester } from '@enerchain/attestation';
import type { RequestHandler } from '@enerchain/link';
import { describeError, EnerchainError, INSPECT_METHOD } from '@enerchain/model';
import { WITNESS_METHOD, type witnessAnswers } from '@enerchain/provenance';
import { type CborValue, OPERATORS_METHOD } from '@enerchain/trust';
import type { Logger } from 'pino';
import { EDGE_NETWORK_METHODS, type EdgeNetwork } from '../tcn/edge-network.ts';
import { CENTRE } from '../trust/centre-watch.ts';
import type { InspectionDesk } from './inspections.ts';
import type { HeldOperators } from './operators.ts';

export interface AnswersOptions {
  /** Name of this gateway. */
  readonly source: string;
  readonly operators: HeldOperators;
  readonly cosign: ReturnType<typeof witnessAnswers>;
  readonly inspections: InspectionDesk;
  /** Absent: it was started without. */
  readonly attester: ProcessAttester | undefined;
  /** Absent: it is no node of a network. */
  readonly network: EdgeNetwork | undefined;
  /** Of the connection to the centre. @throws EnerchainError while there is none */
  exporter(): Uint8Array;
  /** Something that the chain of this gateway tells as well. */
  security(code: string, detail: string): void;
  readonly logger: Logger;
}

/** @returns an answer for each method of the link that this gateway knows; each rejects with an EnerchainError */
export function answersOf(options: AnswersOptions): ReadonlyMap<string, RequestHandler> {
  const { source, operators, cosign, inspections, attester, network, exporter, security, logger } = options;
  const absent = (code: string, text: string) =>
    new EnerchainError('unsupported', code, `the gateway ${source} ${text}`);
  const takeOperators = (params: CborValue): CborValue => {
    const { documents } = params as { documents?: unknown };
    try {
      if (!Array.isArray(documents) || !documents.every((each) => each instanceof Uint8Array)) {
        throw new EnerchainError('peer', 'trust.operators.size', 'there are no lists of operators');
      }
      operators.take(documents);
    } catch (error) {
      const code = error instanceof EnerchainError ? error.code : 'trust.operators';
      security(code, `a list of operators was refused: ${describeError(error)}`);
      throw error;
    }
    logger.info({ version: operators.version }, 'the list of operators');
    return { version: operators.version };
  };
  const inNetwork: RequestHandler = (method, params) => {
    if (!network) throw absent('edge.network', 'is no node of a network');
    return network.answer(method, params);
  };
  return new Map<string, RequestHandler>([
    [OPERATORS_METHOD, (_method, params) => takeOperators(params)],
    [
      EVIDENCE_METHOD,
      (_method, params) => {
        if (!attester) throw absent('edge.attestation', 'was started without an attester');
        return attester.answer(params, { verifier: CENTRE, exporter });
      },
    ],
    [WITNESS_METHOD, (_method, params) => cosign(params)],
    [INSPECT_METHOD, (_method, params, context) => inspections.answer(params, context)],
    ...EDGE_NETWORK_METHODS.map((method): [string, RequestHandler] => [method, inNetwork]),
  ]);
}
