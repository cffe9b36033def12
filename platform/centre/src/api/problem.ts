/** Errors as `application/problem+json` (RFC 9457): one shape for all, with a code that programs can rely on. */
import { EnerchainError, type Fault } from '@enerchain/model';
import Type from 'typebox';

export const ProblemJson = Type.Object(
  {
    type: Type.String({ description: 'urn:enerchain:problem:<code>' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'one sentence: what, where, what was done' }),
    code: Type.String({ description: 'stable and searchable' }),
    errors: Type.Optional(
      Type.Array(Type.Object({ path: Type.String(), message: Type.String() }), {
        description: 'JSON pointers into the request',
      }),
    ),
  },
  { $id: 'Problem' },
);
export type ProblemJson = Type.Static<typeof ProblemJson>;

/** An error that knows its own HTTP status. */
export class ApiError extends EnerchainError {
  readonly status: number;

  constructor(status: number, code: string, message: string) {
    super('caller', code, message);
    this.status = status;
  }
}

const STATUS_BY_FAULT: Readonly<Record<Fault, number>> = {
  caller: 400,
  peer: 502,
  local: 500,
  unsupported: 501,
  environment: 503,
};

const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  'accounts.login-refused': 401,
  'accounts.login-blocked': 429,
  'accounts.setup-refused': 403,
  'trust.node.unknown': 404,
  'trust.release.unknown': 404,
  'trust.release.same-person': 403,
  'trust.release.needless': 409,
  'trust.release.evidence': 409,
  'accounts.grant-refused': 403,
  'accounts.user-exists': 409,
  'accounts.token-exists': 409,
  'accounts.last-administrator': 409,
  'accounts.user-unknown': 404,
  'accounts.token-unknown': 404,
  'centre.command.unknown': 404,
  'centre.command.refused': 409,
  'centre.command.approver': 403,
  'centre.commands.too-many': 429,
  'centre.authenticator.person': 403,
  'centre.authenticator.self': 403,
  'centre.authenticator.foreign': 403,
  'centre.authenticator.unknown': 404,
  'centre.authenticator.known': 409,
  'centre.authenticator.none': 409,
  'centre.authenticator.waiting': 409,
  'centre.authenticator.changed': 409,
  'centre.authenticator.listed': 409,
  'centre.authenticator.last': 409,
  'centre.authenticator.many': 409,
  'centre.authenticator.late': 409,
  'grid.version': 412,
  'grid.links': 409,
  'centre.source.away': 409,
  'centre.certificate.unknown': 404,
  'inspection.source': 404,
  'inspection.endpoint': 404,
  'inspection.refused': 403,
  'inspection.busy': 429,
  'inspection.late': 504,
  'link.timeout': 504,
  'receipt.point': 404,
  'receipt.not-found': 404,
  'receipt.gone': 410,
  'provenance.proof.index': 404,
};

const TITLES: Readonly<Record<number, string>> = {
  400: 'The request is not valid',
  401: 'Not logged in',
  403: 'Not allowed',
  404: 'Not found',
  409: 'Not possible in this state',
  412: 'Changed in the meantime',
  413: 'Too large',
  415: 'Not this kind of content',
  429: 'Too many requests',
  500: 'An error of the centre',
  501: 'Not implemented',
  502: 'A service answered wrongly',
  503: 'Not available at the moment',
  504: 'A service did not answer',
};

export function problem(status: number, code: string, detail: string, errors?: ProblemJson['errors']): ProblemJson {
  return {
    type: `urn:enerchain:problem:${code}`,
    title: TITLES[status] ?? (status < 500 ? 'The request was refused' : 'An error of the centre'),
    status,
    detail,
    code,
    ...(errors ? { errors } : {}),
  };
}

function statusOf({ code, fault }: EnerchainError): number {
  // What an authenticator signed comes from the browser: that it does not hold is no fault of a service behind us.
  if (code.startsWith('trust.webauthn.') || code.startsWith('trust.operators.')) return 403;
  return STATUS_BY_CODE[code] ?? STATUS_BY_FAULT[fault];
}

interface FastifyLikeError {
  readonly statusCode?: number;
  readonly code?: string;
  readonly message: string;
  readonly validation?: readonly { readonly instancePath?: string; readonly message?: string }[];
  readonly validationContext?: string;
}

/** What anything that was thrown looks like outside. Bugs of our own say that there was one, and no more. */
export function problemOf(error: unknown): ProblemJson {
  if (error instanceof EnerchainError) {
    const status = error instanceof ApiError ? error.status : statusOf(error);
    return problem(status, error.code, error.message);
  }
  const { statusCode, code, message, validation, validationContext } = error as FastifyLikeError;
  if (validation) {
    const errors = validation
      .slice(0, 20)
      .map((each) => ({ path: each.instancePath ?? '', message: each.message ?? 'is not valid' }));
    const first = errors[0];
    const where = `${validationContext ?? 'request'}${first?.path ? ` ${first.path}` : ''}`;
    return problem(400, 'api.invalid', `The ${where} ${first?.message ?? 'is not valid'}.`, errors);
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    const name = code?.startsWith('FST_ERR_') ? code.slice(8).toLowerCase().replaceAll('_', '-') : String(statusCode);
    return problem(statusCode, `api.${name}`, message);
  }
  return problem(500, 'api.internal', 'The centre failed to answer; the error is in its log.');
}
