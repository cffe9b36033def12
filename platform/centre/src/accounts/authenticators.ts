/**
 * The authenticators of the operators: registering one, the list of them that the gateways hold, and what they approve.
 * Everything is held in memory and written through to the store. A key counts at the gateways once it stands on the list,
 * and a list counts there when a key on the one before has approved it; the centre cannot do that by itself.
 */
import { randomBytes } from 'node:crypto';
import {
  type Clock,
  type CommandApproval,
  EnerchainError,
  type ListApproval,
  type OperatorKeyList,
  toIso,
} from '@enerchain/model';
import {
  type ApprovalSubject,
  approvalChallenge,
  decodeOperatorList,
  encodeOperatorList,
  operatorKeyOf,
  operatorListChallenge,
  verifyApproval,
  verifyListApproval,
  verifyRegistration,
  WEBAUTHN_ALGORITHMS,
} from '@enerchain/trust';
import type { Approvers } from '../commands/second-person.ts';
import type { LogWriter } from '../ports.ts';
import type { Principal } from './accounts.ts';
import type { Authenticator, AuthenticatorStore, StoredList } from './authenticator-store.ts';
import type {
  AssertionJson,
  AuthenticatorJson,
  CreationOptionsJson,
  RegistrationJson,
  RequestOptionsJson,
} from './webauthn-json.ts';

export interface AuthenticatorsOptions {
  readonly store: AuthenticatorStore;
  readonly audit: LogWriter;
  readonly clock: Clock;
  /** Whether somebody can still approve: a key may outlive the account of its owner. */
  readonly mayApprove: (name: string) => boolean;
  /** The list has grown by a version. */
  readonly onList?: () => void;
}

export type ListChange = 'add' | 'remove';

/** Milliseconds to answer what was asked. */
const TIMEOUT = 120_000;
const MAX_PER_USER = 10;
const MAX_ASKED = 1_000;

interface Asked {
  readonly until: number;
  readonly rpId: string;
  readonly challenge: Uint8Array;
}

export class Authenticators implements Approvers {
  readonly #options: AuthenticatorsOptions;
  readonly #authenticators = new Map<string, Authenticator>();
  readonly #lists: StoredList[] = [];
  /** Registrations under way, by user. */
  readonly #asked = new Map<string, Asked>();
  #list: OperatorKeyList | undefined;
  #loaded = false;
  /** One change of the list at a time. */
  #changing: Promise<unknown> = Promise.resolve();

  constructor(options: AuthenticatorsOptions) {
    this.#options = options;
  }

  /** Reads them, once. @throws EnerchainError `environment` when the store is away */
  async load(): Promise<void> {
    if (this.#loaded) return;
    const { authenticators, lists } = await this.#options.store.load();
    if (this.#loaded) return;
    for (const each of authenticators) this.#authenticators.set(each.id, each);
    this.#lists.push(...lists);
    const last = lists.at(-1);
    this.#list = last && decodeOperatorList(last.payload);
    this.#loaded = true;
  }

  /** 0 while there is no list, or it is not known yet. */
  get version(): number {
    return this.#list?.version ?? 0;
  }

  /** What an edge that holds `version` is to be given, oldest first; to one that holds nothing, the newest alone. */
  listsAfter(version: number): readonly Pick<StoredList, 'payload' | 'approval'>[] {
    return version === 0 ? this.#lists.slice(-1) : this.#lists.filter((list) => list.version > version);
  }

  all(): AuthenticatorJson[] {
    this.#ensureLoaded();
    return [...this.#authenticators.values()].map((each) => this.#json(each));
  }

  /** @param origin of the control room, as the browser sees it */
  registrationOptions(principal: Principal, origin: string): CreationOptionsJson {
    this.#ensureLoaded();
    const user = personOf(principal);
    const own = this.#of(user);
    if (own.length >= MAX_PER_USER) {
      throw refuse('many', `${user} has ${own.length} authenticators; remove one before another is registered.`);
    }
    const rpId = rpIdOf(origin);
    const challenge = randomBytes(32);
    if (this.#asked.size >= MAX_ASKED) this.#asked.clear();
    this.#asked.set(user, { until: this.#options.clock.monotonic() + TIMEOUT, rpId, challenge });
    return {
      challenge: challenge.toString('base64url'),
      rp: { id: rpId, name: 'CloudEnerChain' },
      user: { id: Buffer.from(user).toString('base64url'), name: user, displayName: user },
      pubKeyCredParams: WEBAUTHN_ALGORITHMS.map((alg) => ({ type: 'public-key', alg })),
      excludeCredentials: own.map(({ id }) => ({ type: 'public-key', id })),
      authenticatorSelection: { userVerification: 'required' },
      attestation: 'none',
      timeout: TIMEOUT,
    };
  }

  /**
   * The first one makes the first list, which nobody can approve; any other waits until a key on the list approves it.
   * @throws EnerchainError `trust.webauthn.*`, `centre.authenticator.*`
   */
  async register(principal: Principal, label: string, { response }: RegistrationJson): Promise<AuthenticatorJson> {
    this.#ensureLoaded();
    const user = personOf(principal);
    const asked = this.#asked.get(user);
    this.#asked.delete(user);
    const { store, clock } = this.#options;
    if (!asked || clock.monotonic() > asked.until) {
      throw refuse('late', 'The registration was not begun here, or took too long. Begin again.');
    }
    const registered = verifyRegistration(
      { clientDataJSON: octets(response.clientDataJSON), attestationObject: octets(response.attestationObject) },
      asked,
    );
    const id = base64url(registered.credentialId);
    // § 7.1 step 22.
    if (this.#authenticators.has(id)) throw refuse('known', 'This authenticator is registered already.');
    const authenticator: Authenticator = {
      id,
      user,
      label,
      publicKey: base64url(registered.publicKey.export({ type: 'spki', format: 'der' })),
      rpId: asked.rpId,
      signCount: registered.signCount,
      createdAt: this.#now(),
      usedAt: undefined,
    };
    await store.save(authenticator);
    this.#authenticators.set(id, authenticator);
    await this.#audit('authenticator.register', user, 'ok', id, { label, rpId: asked.rpId });
    await this.#changeList(async () => {
      if (this.#list) return;
      await this.#addList({ version: 1, keys: [entryOf(authenticator)] }, undefined, user);
    });
    return this.#json(authenticator);
  }

  /** What an operator on the list signs to add or remove a key. */
  listOptions(principal: Principal, id: string, change: ListChange): RequestOptionsJson {
    const { payload } = this.#nextList(principal, id, change);
    return this.#request(personOf(principal), operatorListChallenge(payload));
  }

  /** @throws EnerchainError when it is not their approval of the next list as it is now */
  async approveList(principal: Principal, id: string, change: ListChange, assertion: AssertionJson): Promise<void> {
    await this.#changeList(async () => {
      const user = personOf(principal);
      const { payload, list, next } = this.#nextList(principal, id, change);
      const own = this.#own(user, assertion.id);
      const approval: ListApproval = fieldsOf(assertion);
      let counter: number;
      try {
        counter = verifyListApproval(approval, payload, list, own.signCount);
      } catch (error) {
        await this.#audit('authenticator.approve', user, 'refused', id, { change, reason: (error as Error).message });
        throw error;
      }
      await this.#used(own, counter);
      await this.#addList(next, approval, user);
      if (change === 'remove') await this.#forget(id);
    });
  }

  /** Takes back one that is not on the list; one that is needs an approval. */
  async remove(principal: Principal, id: string): Promise<void> {
    const found = this.#find(id);
    const user = personOf(principal);
    if (found.user !== user && !principal.rights.has('users.write')) {
      throw refuse('foreign', `The authenticator is ${found.user}’s; ${user} may not remove it.`);
    }
    if (this.#onList(id)) {
      throw refuse(
        'listed',
        'The gateways know this authenticator: an operator on the list has to approve its removal.',
      );
    }
    await this.#forget(id);
    await this.#audit('authenticator.remove', user, 'ok', id);
  }

  /**
   * Gives everything up, when nobody is left whose key could approve a change. The gateways are not impressed: they hold on
   * to the list they have until a person at each removes it.
   */
  async reset(principal: Principal, reason: string): Promise<void> {
    await this.#changeList(async () => {
      this.#ensureLoaded();
      const by = personOf(principal);
      await this.#audit('operators.reset', by, 'ok', `version ${this.version}`, { reason });
      await this.#options.store.clear();
      this.#authenticators.clear();
      this.#lists.length = 0;
      this.#list = undefined;
    });
  }

  others(than: string): readonly string[] {
    const names = new Set(this.#list?.keys.map(({ name }) => name));
    return [...names].filter((name) => name !== than && this.#options.mayApprove(name));
  }

  approvalOptions(principal: Principal, subject: ApprovalSubject): RequestOptionsJson {
    return this.#request(personOf(principal), approvalChallenge(subject));
  }

  async verifyApproval(
    principal: Principal,
    subject: ApprovalSubject,
    assertion: AssertionJson,
  ): Promise<CommandApproval> {
    const own = this.#own(personOf(principal), assertion.id);
    if (!this.#onList(own.id)) throw refuse('waiting', 'The gateways do not know this authenticator yet.');
    const approval = { session: subject.session, ...fieldsOf(assertion) };
    const counter = verifyApproval(approval, subject, operatorKeyOf(entryOf(own)), own.rpId, own.signCount);
    await this.#used(own, counter);
    return approval;
  }

  #request(user: string, challenge: Uint8Array): RequestOptionsJson {
    const own = this.#of(user).filter(({ id }) => this.#onList(id));
    const [first] = own;
    if (!first) {
      throw refuse('none', `${user} has no authenticator that the gateways know. Register one, and have it approved.`);
    }
    return {
      challenge: base64url(challenge),
      rpId: first.rpId,
      allowCredentials: own.filter(({ rpId }) => rpId === first.rpId).map(({ id }) => ({ type: 'public-key', id })),
      userVerification: 'required',
      timeout: TIMEOUT,
    };
  }

  /** The next list, as it would be now. Nobody adds a key of their own as long as anybody else could approve it. */
  #nextList(principal: Principal, id: string, change: ListChange) {
    const { user } = this.#find(id);
    const approver = personOf(principal);
    const list = this.#list;
    if (!list) throw refuse('none', 'There is no list of operators yet.');
    if (this.#onList(id) !== (change === 'remove')) {
      throw refuse('changed', change === 'add' ? 'It is on the list already.' : 'It is not on the list.');
    }
    if (change === 'add' && user === approver && list.keys.some(({ name }) => name !== user)) {
      throw refuse('self', `${user} cannot vouch for a key of ${user}: another operator on the list has to.`);
    }
    const keys = list.keys.filter(({ credentialId }) => credentialId !== id);
    const next = {
      version: list.version + 1,
      keys: change === 'add' ? [...keys, entryOf(this.#find(id))] : keys,
    };
    if (next.keys.length === 0) {
      throw refuse('last', 'It is the last key on the list, and no other could ever be approved without one.');
    }
    return { list, next, payload: encodeOperatorList(next) };
  }

  #changeList(work: () => Promise<void>): Promise<void> {
    const done = this.#changing.then(work);
    this.#changing = done.catch(() => {});
    return done;
  }

  async #addList(list: OperatorKeyList, approval: ListApproval | undefined, by: string): Promise<void> {
    const { version } = list;
    const stored = { version, payload: encodeOperatorList(list), approval, createdBy: by, createdAt: this.#now() };
    await this.#audit('operators.list', by, 'ok', `version ${version}`, { names: list.keys.map(({ name }) => name) });
    await this.#options.store.addList(stored);
    this.#lists.push(stored);
    this.#list = list;
    this.#options.onList?.();
  }

  async #used(authenticator: Authenticator, signCount: number): Promise<void> {
    const used = { ...authenticator, signCount, usedAt: this.#now() };
    this.#authenticators.set(used.id, used);
    await this.#options.store.save(used);
  }

  async #forget(id: string): Promise<void> {
    await this.#options.store.remove(id);
    this.#authenticators.delete(id);
  }

  #own(user: string, id: string): Authenticator {
    const found = this.#authenticators.get(id);
    if (found?.user === user) return found;
    // Whose it is, is nobody's business who does not hold it.
    throw refuse('foreign', `This is no authenticator of ${user}.`);
  }

  #find(id: string): Authenticator {
    this.#ensureLoaded();
    const found = this.#authenticators.get(id);
    if (found) return found;
    throw refuse('unknown', 'There is no such authenticator.');
  }

  #of(user: string): Authenticator[] {
    return [...this.#authenticators.values()].filter((each) => each.user === user);
  }

  #onList(id: string): boolean {
    return this.#list?.keys.some(({ credentialId }) => credentialId === id) ?? false;
  }

  #json({ id, user, label, rpId, createdAt, usedAt }: Authenticator): AuthenticatorJson {
    const iso = (at: number) => toIso(BigInt(at) * 1_000_000n);
    const state = this.#onList(id) ? 'active' : 'waiting';
    const used = usedAt === undefined ? {} : { usedAt: iso(usedAt) };
    return { id, user, label, rpId, state, createdAt: iso(createdAt), ...used };
  }

  #ensureLoaded(): void {
    if (this.#loaded) return;
    throw new EnerchainError(
      'environment',
      'centre.authenticator.unavailable',
      'The authenticators are not known at the moment: the database has not been reached since the centre started.',
    );
  }

  async #audit(
    action: string,
    actor: string,
    outcome: 'ok' | 'refused',
    subject: string,
    detail?: Record<string, unknown>,
  ): Promise<void> {
    await this.#options.audit.append({ action, actor, outcome, subject, ...(detail ? { detail } : {}) });
  }

  #now(): number {
    return Number(this.#options.clock.now() / 1_000_000n);
  }
}

const refuse = (code: string, text: string) => new EnerchainError('caller', `centre.authenticator.${code}`, text);
const octets = (text: string) => new Uint8Array(Buffer.from(text, 'base64url'));
const base64url = (data: Uint8Array) => Buffer.from(data).toString('base64url');
const entryOf = ({ id, publicKey, user, rpId }: Authenticator) => ({ credentialId: id, publicKey, name: user, rpId });
const fieldsOf = ({ id, response }: AssertionJson): ListApproval => ({
  credential: id,
  authenticatorData: response.authenticatorData,
  clientData: response.clientDataJSON,
  signature: response.signature,
});

/** A token or a service has no hand with which to touch an authenticator. */
function personOf({ kind, name }: Principal): string {
  if (kind === 'user') return name;
  throw refuse('person', `${name} is no person who is logged in; an authenticator belongs to a person.`);
}

/** The domain of the control room (WebAuthn § 5.1.3): browsers take none that is a bare address, and none without TLS but localhost. */
function rpIdOf(origin: string): string {
  const { hostname, protocol, port } = new URL(origin);
  const local = hostname === 'localhost';
  if (local || (protocol === 'https:' && !/^[\d.]+$|^\[/.test(hostname))) return hostname;
  throw refuse(
    'origin',
    `Browsers use authenticators on pages over TLS with a name, and on http://localhost; not on ${origin}. ${
      /^127\.|^\[::1\]/.test(hostname)
        ? `Open http://localhost${port ? `:${port}` : ''} instead.`
        : 'Start the centre with a certificate.'
    }`,
  );
}
