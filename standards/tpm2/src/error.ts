/** Who is at fault: bytes or a TPM that answers wrongly, the caller, this code, something not implemented, the machine. */
export type Tpm2Fault = 'peer' | 'caller' | 'local' | 'unsupported' | 'environment';

/** What a TPM said when it refused a command. */
export interface Refusal {
  /** `TPM2_Quote`. */
  readonly command: string;
  /** The response code as it came. */
  readonly responseCode: number;
  /** `TPM_RC_VALUE`. */
  readonly name: string;
  /** Which handle, session or parameter it complains of, counted from 1. */
  readonly about?: { readonly kind: 'handle' | 'session' | 'parameter'; readonly number: number };
}

/** The one error of this package. `code` is stable; the message says what, where and why. */
export class Tpm2Error extends Error {
  readonly fault: Tpm2Fault;
  readonly code: string;
  /** Set when a TPM refused a command (`tpm2.refused`). */
  readonly refusal: Refusal | undefined;

  constructor(
    fault: Tpm2Fault,
    code: string,
    message: string,
    options?: { readonly cause?: unknown; readonly refusal?: Refusal },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Tpm2Error';
    this.fault = fault;
    this.code = code;
    this.refusal = options?.refusal;
  }
}
