/** The part of the API about the operators' authenticators, and the approval of commands by a second person. */
import { call } from './client.ts';
import type { CommandJson } from './types.ts';

/** Web Authentication Level 3 § 5.1: what the browser is asked, octets in base64url. */
export interface RequestOptionsJson {
  readonly challenge: string;
  readonly rpId: string;
  readonly allowCredentials: readonly { readonly type: 'public-key'; readonly id: string }[];
  readonly userVerification: 'required';
  readonly timeout: number;
}
export interface CreationOptionsJson {
  readonly challenge: string;
  readonly rp: { readonly id: string; readonly name: string };
  readonly user: { readonly id: string; readonly name: string; readonly displayName: string };
  readonly pubKeyCredParams: readonly { readonly type: 'public-key'; readonly alg: number }[];
  readonly excludeCredentials: readonly { readonly type: 'public-key'; readonly id: string }[];
  readonly authenticatorSelection: { readonly userVerification: 'required' };
  readonly attestation: 'none';
  readonly timeout: number;
}
/** What it answers. */
export interface AssertionJson {
  readonly id: string;
  readonly response: {
    readonly clientDataJSON: string;
    readonly authenticatorData: string;
    readonly signature: string;
  };
}
export interface RegistrationJson {
  readonly id: string;
  readonly response: { readonly clientDataJSON: string; readonly attestationObject: string };
}

export interface AuthenticatorJson {
  readonly id: string;
  readonly user: string;
  readonly label: string;
  readonly rpId: string;
  /** `waiting`: an operator whose authenticator is active has to approve it. */
  readonly state: 'active' | 'waiting';
  readonly createdAt: string;
  readonly usedAt?: string;
}

const at = (id: string) => `/operators/authenticators/${id}`;

export const operatorsApi = {
  authenticators: () => call<{ version: number; items: AuthenticatorJson[] }>('GET', '/operators/authenticators'),
  registrationOptions: () => call<CreationOptionsJson>('POST', '/operators/authenticators/options', {}),
  register: (label: string, credential: RegistrationJson) =>
    call<AuthenticatorJson>('POST', '/operators/authenticators/register', { label, credential }),
  listOptions: (id: string, change: 'add' | 'remove') =>
    call<RequestOptionsJson>('POST', `${at(id)}/list/options`, { change }),
  approveList: (id: string, change: 'add' | 'remove', credential: AssertionJson) =>
    call<{ version: number }>('POST', `${at(id)}/list/approve`, { change, credential }),
  remove: (id: string) => call<void>('DELETE', at(id)),
  approvalOptions: (command: string) => call<RequestOptionsJson>('POST', `/commands/${command}/approval/options`, {}),
  approve: (command: string, credential: AssertionJson) =>
    call<CommandJson>('POST', `/commands/${command}/approval/approve`, { credential }),
  breakGlass: (point: string, value: number, reason: string) =>
    call<CommandJson>('POST', '/commands/break-glass', { point, value, reason }),
};
