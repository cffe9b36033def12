/** The browser's side of an authenticator: base64url of the API to the octets of Web Authentication, and back. */
import type { AssertionJson, CreationOptionsJson, RegistrationJson, RequestOptionsJson } from '../api/operators.ts';

export function octetsOf(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (each) => each.charCodeAt(0));
}

export function base64urlOf(octets: ArrayBuffer | Uint8Array): string {
  let binary = '';
  for (const octet of new Uint8Array(octets)) binary += String.fromCharCode(octet);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** Why there are no authenticators here, `undefined` where there are. */
export function noAuthenticators(): string | undefined {
  if (typeof PublicKeyCredential !== 'undefined') return undefined;
  return window.isSecureContext
    ? 'This browser knows no authenticators.'
    : 'Browsers use authenticators on pages over TLS and on http://localhost only.';
}

/** Makes a credential. @throws Error with a sentence for the operator */
export async function createCredential(options: CreationOptionsJson): Promise<RegistrationJson> {
  const credential = await asked(() =>
    navigator.credentials.create({
      publicKey: {
        ...options,
        challenge: octetsOf(options.challenge),
        user: { ...options.user, id: octetsOf(options.user.id) },
        pubKeyCredParams: options.pubKeyCredParams.map((each) => ({ ...each })),
        excludeCredentials: options.excludeCredentials.map(({ type, id }) => ({ type, id: octetsOf(id) })),
      },
    }),
  );
  const { clientDataJSON, attestationObject } = credential.response as AuthenticatorAttestationResponse;
  return {
    id: credential.id,
    response: { clientDataJSON: base64urlOf(clientDataJSON), attestationObject: base64urlOf(attestationObject) },
  };
}

/** Lets an authenticator sign. @throws Error with a sentence for the operator */
export async function signWith(options: RequestOptionsJson): Promise<AssertionJson> {
  const credential = await asked(() =>
    navigator.credentials.get({
      publicKey: {
        ...options,
        challenge: octetsOf(options.challenge),
        allowCredentials: options.allowCredentials.map(({ type, id }) => ({ type, id: octetsOf(id) })),
      },
    }),
  );
  const { clientDataJSON, authenticatorData, signature } = credential.response as AuthenticatorAssertionResponse;
  return {
    id: credential.id,
    response: {
      clientDataJSON: base64urlOf(clientDataJSON),
      authenticatorData: base64urlOf(authenticatorData),
      signature: base64urlOf(signature),
    },
  };
}

async function asked(ask: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  const why = noAuthenticators();
  if (why) throw new Error(why);
  try {
    const credential = await ask();
    if (credential) return credential as PublicKeyCredential;
  } catch (error) {
    throw new Error(sentenceOf(error), { cause: error });
  }
  throw new Error('The authenticator gave no answer.');
}

/** What the names of the browser's errors mean (Web Authentication § 5.1.3, § 5.1.4). */
export function sentenceOf(error: unknown): string {
  const { name, message } = error as { name?: string; message?: string };
  switch (name) {
    case 'NotAllowedError':
      return 'Nothing was signed: it was called off, took too long, or this authenticator is not one of yours.';
    case 'InvalidStateError':
      return 'This authenticator is registered already.';
    case 'SecurityError':
      return 'The browser does not let this page use authenticators.';
    default:
      return `The authenticator failed: ${message || name || 'no reason given'}.`;
  }
}
