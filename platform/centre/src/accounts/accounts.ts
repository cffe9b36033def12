/**
 * Users, sessions and API tokens of one centre. Everything is held in memory and written through to the store, so that
 * a database that is away logs nobody out. Every change and every attempt is audited.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Clock, EnerchainError, newMrid } from '@enerchain/model';
import type { LogWriter } from '../ports.ts';
import { LoginGuard } from './login-guard.ts';
import { checkPasswordRules, DEFAULT_COST, hashPassword, type ScryptCost, verifyPassword } from './password.ts';
import { FIRST_ADMINISTRATOR, LOCAL_COMMAND_LINE, mayGrant, type Right, type Role, rightsOf } from './rights.ts';
import type { AccountStore, ApiToken, Session, User } from './store.ts';

/** Who makes a request. */
export interface Principal {
  /** User name, `token:<name>` or `service:<name>`. */
  readonly name: string;
  readonly kind: 'user' | 'token' | 'service';
  readonly roles: readonly Role[];
  readonly rights: ReadonlySet<Right>;
}

export interface AccountOptions {
  readonly store: AccountStore;
  readonly audit: LogWriter;
  readonly clock: Clock;
  readonly cost?: ScryptCost;
  /** Called when the one-time secret has been redeemed. */
  readonly onSetUp?: () => void;
}

/** A session ends after `idleMillis` without a request, and after `absoluteMillis` in any case. */
export const SESSION_LIFETIME = { idleMillis: 8 * 3_600_000, absoluteMillis: 24 * 3_600_000 } as const;
/** The sliding end is written to the store at most this often. */
const TOUCH_MILLIS = 60_000;
const MAX_SESSIONS_PER_USER = 32;
/** scrypt needs 32 MiB a time: so many at once, so many waiting; others are told to come back. */
const HASHING = { parallel: 2, waiting: 32 } as const;

const USER_NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

export class Accounts {
  readonly #options: AccountOptions;
  readonly #users = new Map<string, User>();
  readonly #sessions = new Map<string, Session>();
  readonly #tokens = new Map<string, ApiToken>();
  readonly #guard = new LoginGuard();
  readonly #hashing: { running: number; readonly waiting: (() => void)[] } = { running: 0, waiting: [] };
  /** Verified when the user does not exist, so that the answer takes as long as for one who does. */
  readonly #nobody: string;
  #loaded = false;
  #setupHash: string | undefined;
  #localHash: string | undefined;
  readonly counters = { logins: 0, loginsRefused: 0, loginsBlocked: 0 };

  private constructor(options: AccountOptions, nobody: string) {
    this.#options = options;
    this.#nobody = nobody;
  }

  /** Without its store it opens too: then only the local token is known until `load` has succeeded. */
  static async open(options: AccountOptions): Promise<Accounts> {
    const nobody = await hashPassword(randomBytes(16).toString('hex'), options.cost ?? DEFAULT_COST);
    const accounts = new Accounts(options, nobody);
    await accounts.load().catch((error: unknown) => {
      if (!(error instanceof EnerchainError) || error.fault !== 'environment') throw error;
    });
    return accounts;
  }

  /** Reads users, sessions and tokens, once. @throws EnerchainError `environment` when the store is away */
  async load(): Promise<void> {
    if (this.#loaded) return;
    const { users, sessions, tokens } = await this.#options.store.load();
    if (this.#loaded) return;
    for (const user of users) this.#users.set(user.name, user);
    for (const session of sessions) this.#sessions.set(session.hash, session);
    for (const token of tokens) this.#tokens.set(token.hash, token);
    this.#loaded = true;
  }

  /** Whether users, sessions and tokens are known. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** @throws EnerchainError `accounts.unavailable` while nobody can be known */
  ensureLoaded(): void {
    if (this.#loaded) return;
    throw new EnerchainError(
      'environment',
      'accounts.unavailable',
      'Nobody can log in at the moment: the database with the users has not been reached since the centre started. Try again when it is back.',
    );
  }

  /** @returns the one-time secret for the first administrator; undefined when there is a user already */
  createSetupToken(): string | undefined {
    this.ensureLoaded();
    if (this.#users.size > 0) return undefined;
    const token = newSecret();
    this.#setupHash = hashOf(token);
    return token;
  }

  /** @returns the secret of the command line on this machine, good until the centre stops or the next call */
  createLocalToken(): string {
    const token = newSecret();
    this.#localHash = hashOf(token);
    return token;
  }

  /** Redeems the one-time secret: creates the first administrator and logs in. */
  async setUp(token: string, user: string, password: string): Promise<{ secret: string; principal: Principal }> {
    this.ensureLoaded();
    if (!this.#setupHash || !sameHash(this.#setupHash, hashOf(token))) {
      await this.#audit('setup', 'anonymous', 'refused', user);
      throw new EnerchainError(
        'caller',
        'accounts.setup-refused',
        'This set-up link is not valid: it was used already, or the centre has been started again since. The newest one is in the file setup-token of the data folder.',
      );
    }
    checkUserName(user);
    checkPasswordRules(user, password);
    const pending = this.#setupHash;
    this.#setupHash = undefined;
    try {
      await this.#create(user, password, FIRST_ADMINISTRATOR);
    } catch (error) {
      this.#setupHash = pending;
      throw error;
    }
    this.#options.onSetUp?.();
    await this.#audit('setup', user, 'ok', user, { roles: FIRST_ADMINISTRATOR });
    return this.#newSession(user);
  }

  /**
   * @param address of the client, for the lockout
   * @throws EnerchainError `accounts.login-refused` (never says whether the user exists), `accounts.login-blocked`
   */
  async login(name: string, password: string, address: string): Promise<{ secret: string; principal: Principal }> {
    this.ensureLoaded();
    await this.#checkPassword(name, this.#users.get(name), password, address);
    this.counters.logins++;
    const session = await this.#newSession(name);
    await this.#audit('login', name, 'ok', undefined, { address });
    return session;
  }

  /** @returns who stands behind a session cookie; undefined when it is unknown or over */
  bySession(secret: string): Principal | undefined {
    const session = this.#sessions.get(hashOf(secret));
    if (!session) return undefined;
    const now = this.#now();
    const user = this.#users.get(session.user);
    if (!user || user.disabled || now >= session.idleUntil || now >= session.expiresAt) {
      this.#forget([session.hash]);
      return undefined;
    }
    const idleUntil = now + SESSION_LIFETIME.idleMillis;
    if (idleUntil - session.idleUntil >= TOUCH_MILLIS) {
      const touched = { ...session, idleUntil };
      this.#sessions.set(session.hash, touched);
      // A lost touch shortens a session at the next start of the centre, no more.
      this.#options.store.saveSession(touched).catch(() => {});
    }
    return principalOf(user.name, 'user', user.roles);
  }

  /** @returns who stands behind a bearer token; undefined when it is unknown or expired */
  byToken(secret: string): Principal | undefined {
    const hash = hashOf(secret);
    if (this.#localHash && sameHash(this.#localHash, hash))
      return principalOf('token:local', 'token', LOCAL_COMMAND_LINE);
    const token = this.#tokens.get(hash);
    if (!token || this.#now() >= token.expiresAt) return undefined;
    return principalOf(`token:${token.name}`, 'token', token.roles);
  }

  async logout(secret: string): Promise<void> {
    const session = this.#sessions.get(hashOf(secret));
    if (!session) return;
    this.#sessions.delete(session.hash);
    await this.#options.store.deleteSessions([session.hash]);
    await this.#audit('logout', session.user, 'ok');
  }

  users(): Omit<User, 'passwordHash'>[] {
    this.ensureLoaded();
    return [...this.#users.values()].map(({ passwordHash: _, ...user }) => user);
  }

  /** Whether there is a user of this name who may do this now; false while nobody can be known. */
  may(name: string, right: Right): boolean {
    const user = this.#users.get(name);
    return user !== undefined && !user.disabled && rightsOf(user.roles).includes(right);
  }

  get hasUsers(): boolean {
    this.ensureLoaded();
    return this.#users.size > 0;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  async createUser(by: Principal, name: string, password: string, roles: readonly Role[]): Promise<void> {
    this.ensureLoaded();
    checkUserName(name);
    checkPasswordRules(name, password);
    await this.#checkGrant(by, 'user.create', name, roles);
    if (this.#users.has(name))
      throw new EnerchainError('caller', 'accounts.user-exists', `There is a user '${name}' already.`);
    await this.#create(name, password, roles);
    await this.#audit('user.create', by.name, 'ok', name, { roles });
  }

  /**
   * Changes what is given and ends the sessions of the user.
   * @throws EnerchainError `accounts.last-administrator` rather than leave nobody who can manage users
   */
  async changeUser(
    by: Principal,
    name: string,
    change: { readonly roles?: readonly Role[]; readonly password?: string; readonly disabled?: boolean },
  ): Promise<void> {
    const user = this.#user(name);
    const { roles = user.roles, password, disabled = user.disabled } = change;
    if (change.roles) await this.#checkGrant(by, 'user.change', name, roles);
    if (disabled || !rightsOf(roles).includes('users.write')) this.#keepAdministrator(user);
    await this.#change({ ...user, roles: [...roles], disabled }, password);
    this.#endSessions(name);
    const detail = { ...(change.roles ? { roles } : {}), disabled, password: password !== undefined };
    await this.#audit('user.change', by.name, 'ok', name, detail);
  }

  /**
   * Changes the own password and ends all sessions but this one.
   * @throws EnerchainError like `login` when the current password is wrong
   */
  async changePassword(
    by: Principal,
    secret: string,
    current: string,
    password: string,
    address: string,
  ): Promise<void> {
    const user = this.#user(by.name);
    await this.#checkPassword(user.name, user, current, address);
    await this.#change(user, password);
    this.#endSessions(user.name, hashOf(secret));
    await this.#audit('user.change', by.name, 'ok', user.name, { password: true });
  }

  /** Removes the user and ends all their sessions. The last one who can manage users stays. */
  async deleteUser(by: Principal, name: string): Promise<void> {
    this.#keepAdministrator(this.#user(name));
    await this.#options.store.deleteUser(name);
    this.#users.delete(name);
    this.#endSessions(name);
    await this.#audit('user.delete', by.name, 'ok', name);
  }

  tokens(): Omit<ApiToken, 'hash'>[] {
    this.ensureLoaded();
    return [...this.#tokens.values()].map(({ hash: _, ...token }) => token);
  }

  /** @returns the secret, shown this once */
  async createToken(
    by: Principal,
    name: string,
    roles: readonly Role[],
    validForMillis: number,
  ): Promise<{ id: string; secret: string; expiresAt: number }> {
    this.ensureLoaded();
    checkUserName(name);
    await this.#checkGrant(by, 'token.create', name, roles);
    if ([...this.#tokens.values()].some((token) => token.name === name))
      throw new EnerchainError('caller', 'accounts.token-exists', `There is a token '${name}' already.`);
    const secret = newSecret();
    const now = this.#now();
    const token: ApiToken = {
      id: newMrid(),
      name,
      hash: hashOf(secret),
      roles,
      createdBy: by.name,
      createdAt: now,
      expiresAt: now + validForMillis,
    };
    await this.#options.store.saveToken(token);
    this.#tokens.set(token.hash, token);
    await this.#audit('token.create', by.name, 'ok', name, { id: token.id, roles });
    return { id: token.id, secret, expiresAt: token.expiresAt };
  }

  async deleteToken(by: Principal, id: string): Promise<void> {
    this.ensureLoaded();
    const token = [...this.#tokens.values()].find((candidate) => candidate.id === id);
    if (!token) throw new EnerchainError('caller', 'accounts.token-unknown', `There is no token '${id}'.`);
    await this.#options.store.deleteToken(id);
    this.#tokens.delete(token.hash);
    await this.#audit('token.delete', by.name, 'ok', token.name, { id });
  }

  #user(name: string): User {
    this.ensureLoaded();
    const user = this.#users.get(name);
    if (user) return user;
    throw new EnerchainError('caller', 'accounts.user-unknown', `There is no user '${name}'.`);
  }

  /** @throws EnerchainError when nobody who can manage users would be left without this one */
  #keepAdministrator(user: User): void {
    const manages = (candidate: User) => !candidate.disabled && rightsOf(candidate.roles).includes('users.write');
    if (!manages(user) || [...this.#users.values()].some((other) => other.name !== user.name && manages(other))) return;
    throw new EnerchainError(
      'caller',
      'accounts.last-administrator',
      `'${user.name}' is the last user who can manage users and was left as it is; create another one first.`,
    );
  }

  /** Takes as long for a user who does not exist; slows down and audits whoever guesses. */
  async #checkPassword(name: string, user: User | undefined, password: string, address: string): Promise<void> {
    const wait = this.#guard.wait(name, address, this.#options.clock.monotonic());
    if (wait > 0) {
      this.counters.loginsBlocked++;
      throw new LoginBlocked(wait);
    }
    // Counted as failed until it is known better: parallel guesses must not all pass the check above.
    this.#guard.failed(name, address, this.#options.clock.monotonic());
    const matches = await this.#limited(() => verifyPassword(password, user?.passwordHash ?? this.#nobody));
    if (!user || user.disabled || !matches) {
      this.counters.loginsRefused++;
      await this.#audit('login', name.slice(0, 64), 'refused', undefined, { address });
      throw new EnerchainError('caller', 'accounts.login-refused', 'User name or password is wrong.');
    }
    this.#guard.succeeded(name, address);
  }

  async #change(user: User, password: string | undefined): Promise<void> {
    let { passwordHash } = user;
    if (password !== undefined) {
      checkPasswordRules(user.name, password);
      passwordHash = await this.#limited(() => hashPassword(password, this.#options.cost ?? DEFAULT_COST));
    }
    const changed = { ...user, passwordHash };
    await this.#options.store.saveUser(changed);
    this.#users.set(user.name, changed);
  }

  #endSessions(name: string, except?: string): void {
    const own = [...this.#sessions.values()].filter(({ user, hash }) => user === name && hash !== except);
    this.#forget(own.map(({ hash }) => hash));
  }

  async #create(name: string, password: string, roles: readonly Role[]): Promise<void> {
    const passwordHash = await this.#limited(() => hashPassword(password, this.#options.cost ?? DEFAULT_COST));
    const user: User = { name, passwordHash, roles: [...roles], createdAt: this.#now(), disabled: false };
    await this.#options.store.saveUser(user);
    this.#users.set(name, user);
  }

  async #newSession(name: string): Promise<{ secret: string; principal: Principal }> {
    const secret = newSecret();
    const now = this.#now();
    const session: Session = {
      hash: hashOf(secret),
      user: name,
      createdAt: now,
      idleUntil: now + SESSION_LIFETIME.idleMillis,
      expiresAt: now + SESSION_LIFETIME.absoluteMillis,
    };
    await this.#options.store.saveSession(session);
    this.#sessions.set(session.hash, session);
    const own = [...this.#sessions.values()].filter((other) => other.user === name);
    own.sort((a, b) => a.createdAt - b.createdAt);
    this.#forget(own.slice(0, Math.max(0, own.length - MAX_SESSIONS_PER_USER)).map(({ hash }) => hash));
    const user = this.#users.get(name) as User;
    return { secret, principal: principalOf(name, 'user', user.roles) };
  }

  #forget(hashes: readonly string[]): void {
    for (const hash of hashes) this.#sessions.delete(hash);
    // The rows expire by themselves should the database be away.
    this.#options.store.deleteSessions(hashes).catch(() => {});
  }

  async #checkGrant(by: Principal, action: string, subject: string, roles: readonly Role[]): Promise<void> {
    if (mayGrant(by.roles, roles)) return;
    await this.#audit(action, by.name, 'refused', subject, { roles });
    throw new EnerchainError(
      'caller',
      'accounts.grant-refused',
      `The roles ${roles.join(', ')} hold rights that ${by.name} does not have and so cannot hand on.`,
    );
  }

  async #limited<T>(work: () => Promise<T>): Promise<T> {
    if (this.#hashing.running >= HASHING.parallel) {
      if (this.#hashing.waiting.length >= HASHING.waiting) throw new LoginBlocked(2_000);
      await new Promise<void>((resolve) => this.#hashing.waiting.push(resolve));
    }
    this.#hashing.running++;
    try {
      return await work();
    } finally {
      this.#hashing.running--;
      this.#hashing.waiting.shift()?.();
    }
  }

  async #audit(
    action: string,
    actor: string,
    outcome: 'ok' | 'refused' | 'failed',
    subject?: string,
    detail?: Record<string, unknown>,
  ): Promise<void> {
    await this.#options.audit.append({
      action,
      actor,
      outcome,
      ...(subject ? { subject } : {}),
      ...(detail ? { detail } : {}),
    });
  }

  #now(): number {
    return Number(this.#options.clock.now() / 1_000_000n);
  }
}

/** Too many wrong passwords; try again later. */
export class LoginBlocked extends EnerchainError {
  readonly waitMillis: number;

  constructor(waitMillis: number) {
    super(
      'caller',
      'accounts.login-blocked',
      `Too many attempts; log in again in ${Math.ceil(waitMillis / 1000)} seconds.`,
    );
    this.waitMillis = waitMillis;
  }
}

function principalOf(name: string, kind: Principal['kind'], roles: readonly Role[]): Principal {
  return { name, kind, roles, rights: new Set(rightsOf(roles)) };
}

function checkUserName(name: string): void {
  if (!USER_NAME.test(name))
    throw new EnerchainError(
      'caller',
      'accounts.name-rules',
      'A name has up to 64 letters, digits and . _ @ -, and begins with a letter or digit.',
    );
}

const newSecret = (): string => randomBytes(32).toString('base64url');
const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');
const sameHash = (a: string, b: string): boolean => timingSafeEqual(Buffer.from(a, 'hex'), Buffer.from(b, 'hex'));
