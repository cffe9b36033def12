/**
 * Watches running TLS sessions (IEC 62351-3): a handshake says only that everything was in order when it happened. A session is
 * closed when a certificate of its path ends, is revoked or loses its trust, when it has lasted as long as the profile allows,
 * and whenever its owner says so, for example because the peer's attestation lapsed.
 */
import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { type Certificate, parseCertificate } from '../certificate.ts';
import type { RevocationList, RevocationLists } from '../crl/revocation-list.ts';
import { PkiError } from '../error.ts';
import { type CertificationPath, type PathOptions, validatePath } from '../path.ts';
import type { RevocationCheck } from '../revocation.ts';
import { guardServer } from './brainpool-guard.ts';
import { type TlsTrust, tlsServerOptions } from './options.ts';
import { chainOf, refusalOf } from './peer-check.ts';
import type { TlsProfile } from './profile.ts';
import { type TlsEventName, type TlsSecurityEvent, tlsEventOf, tlsSecurityEvent } from './security-events.ts';

/** Time, so that a test can be in charge of it. */
export interface SupervisorClock {
  now(): Date;
  /** @param delay milliseconds. @returns cancels */
  schedule(delay: number, action: () => void): () => void;
}

export const systemSupervisorClock: SupervisorClock = {
  now: () => new Date(),
  schedule(delay, action) {
    const timer = setTimeout(action, delay);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

export interface SupervisorOptions {
  readonly profile: TlsProfile;
  readonly anchors: readonly Certificate[];
  readonly intermediates?: readonly Certificate[];
  /** Policy that the peers' certificates must state. */
  readonly policy?: string;
  /** Lists that are looked at, and looked at again when one of them is replaced. */
  readonly lists?: RevocationLists;
  /** Another way to know of revocations, in place of `lists`; call `reevaluate` when it has learnt something. */
  readonly revocation?: RevocationCheck;
  /**
   * What becomes of a running session when it is no longer known whether it was revoked, because a list is out of date: it is
   * kept and reported, since a station must not lose its connection for want of a list; or closed. `keep` when absent.
   */
  readonly whenUnknown?: 'keep' | 'close';
  readonly onEvent: (event: TlsSecurityEvent) => void;
  readonly clock?: SupervisorClock;
}

interface Session {
  readonly socket: TLSSocket;
  readonly role: 'client' | 'server';
  readonly peer: string;
  readonly shown: X509Certificate;
  readonly certificate: Certificate;
  readonly sent: readonly Certificate[];
  /** Milliseconds. */
  readonly since: number;
  /** From the peer's certificate to the anchor, as it was found last. */
  path: CertificationPath;
  ends: number;
  reportedUnknown: boolean;
  cancel: () => void;
}

/** Largest delay of a timer in Node, ms. */
const MAX_DELAY = 2 ** 31 - 1;

export class SessionSupervisor {
  readonly #options: SupervisorOptions;
  readonly #clock: SupervisorClock;
  readonly #revocation: RevocationCheck | undefined;
  readonly #sessions = new Set<Session>();
  readonly #stopListening: (() => void) | undefined;
  #cancelRound: () => void;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemSupervisorClock;
    this.#revocation = options.revocation ?? options.lists?.check;
    this.#stopListening = options.lists?.onChange((list) => this.reevaluate(list));
    this.#cancelRound = this.#scheduleRound();
  }

  /** Number of sessions that are watched. */
  get size(): number {
    return this.#sessions.size;
  }

  /**
   * Checks the peer of a finished handshake and watches the session from now on.
   * @param shown certificate of the peer where the socket shows none, as a client's does whose session was resumed
   * @returns whether the session was accepted; when not, the socket is destroyed and the reason is an event
   */
  watch(socket: TLSSocket, role: 'client' | 'server', shown = socket.getPeerX509Certificate()): boolean {
    const peer = endpointOf(socket);
    const refuse = (name: TlsEventName, code?: string): false => {
      this.#emit(name, { role, peer, shown, code });
      socket.destroy();
      return false;
    };
    const refusal = refusalOf(socket, this.#options.profile, shown);
    if (refusal || !shown) return refuse(refusal?.name ?? 'certificate-missing', refusal?.code);
    const chain = chainOf(shown, this.#options.profile.maxChain);
    let session: Session;
    try {
      const [certificate, ...sent] = chain.map(({ raw }) => parseCertificate(raw));
      session = {
        ...{ socket, role, peer, shown, certificate: certificate!, sent },
        since: this.#clock.now().getTime(),
        path: [],
        ends: 0,
        reportedUnknown: false,
        cancel: () => {},
      };
      this.#trace(session);
    } catch (error) {
      if (!(error instanceof PkiError)) throw error;
      return refuse(HANDSHAKE_EVENTS[error.code] ?? 'certificate-unknown-authority', error.code);
    }
    this.#sessions.add(session);
    socket.once('close', () => this.#forget(session));
    this.#emit(socket.isSessionReused() ? 'session-resumed' : 'session-established', { role, peer, shown });
    this.#arm(session);
    return true;
  }

  /**
   * Looks at every session again, or at those that a list speaks about.
   * @returns how many were closed
   */
  reevaluate(list?: RevocationList): number {
    let closed = 0;
    for (const session of [...this.#sessions]) {
      if (list && !concerns(list, session)) continue;
      if (this.#reevaluateOne(session)) closed++;
    }
    return closed;
  }

  /**
   * Closes the sessions of peers that the caller names.
   * @param name what is reported, for example `session-attestation-lapsed`
   * @returns how many were closed
   */
  end(of: (certificate: Certificate) => boolean, name: TlsEventName): number {
    const ended = [...this.#sessions].filter(({ certificate }) => of(certificate));
    for (const session of ended) this.#close(session, name);
    return ended.length;
  }

  /** Reports a handshake that failed, by the code of its error. */
  failed(error: NodeJS.ErrnoException, role: 'client' | 'server', peer: string): void {
    const name = tlsEventOf(error.code);
    this.#emit(name, { role, peer, shown: undefined, code: error.code, done: 'connection refused' });
  }

  /** Watches no longer; the sessions stay. */
  stop(): void {
    this.#stopListening?.();
    this.#cancelRound();
    for (const session of [...this.#sessions]) this.#forget(session);
  }

  /** Finds the path of a session and when it has to end. @throws PkiError when there is none that is good now */
  #trace(session: Session, revocation = this.#revocation): void {
    const { anchors, intermediates = [], policy, profile } = this.#options;
    const options: PathOptions = {
      anchors,
      intermediates: [...session.sent, ...intermediates],
      at: this.#clock.now(),
      ...(policy === undefined ? {} : { policy }),
      ...(revocation ? { revocation } : {}),
    };
    session.path = validatePath(session.certificate, options);
    const ends = session.path.map(({ notAfter }) => notAfter.getTime());
    session.ends = Math.min(session.since + profile.maxSessionSeconds * 1000, ...ends);
  }

  #reevaluateOne(session: Session): boolean {
    try {
      this.#trace(session);
      session.reportedUnknown = false;
    } catch (error) {
      if (!(error instanceof PkiError)) throw error;
      const keep = error.code === 'pki.path.revocation' && this.#options.whenUnknown !== 'close';
      if (!keep) {
        this.#close(session, RUNNING_EVENTS[error.code] ?? 'session-no-longer-trusted', error.code);
        return true;
      }
      return this.#keepUnknown(session);
    }
    this.#arm(session);
    return false;
  }

  /** Only the revocation is not known: everything else has to be as good as ever. */
  #keepUnknown(session: Session): boolean {
    const tolerant: RevocationCheck = (certificate, issuer, at) => {
      const status = this.#revocation!(certificate, issuer, at);
      return status.kind === 'unknown' ? { kind: 'good' } : status;
    };
    try {
      this.#trace(session, tolerant);
    } catch (error) {
      if (!(error instanceof PkiError)) throw error;
      this.#close(session, RUNNING_EVENTS[error.code] ?? 'session-no-longer-trusted', error.code);
      return true;
    }
    if (!session.reportedUnknown) this.#emit('session-revocation-unknown', session);
    session.reportedUnknown = true;
    this.#arm(session);
    return false;
  }

  #arm(session: Session): void {
    session.cancel();
    const left = session.ends - this.#clock.now().getTime();
    // One millisecond more: at its last instant a certificate is still good.
    session.cancel = this.#clock.schedule(Math.min(Math.max(left, 0) + 1, MAX_DELAY), () => {
      const now = this.#clock.now().getTime();
      if (now >= session.since + this.#options.profile.maxSessionSeconds * 1000) {
        this.#close(session, 'session-lifetime-ended');
      } else if (now > session.ends) {
        this.#close(session, 'session-certificate-ended');
      } else {
        this.#arm(session);
      }
    });
  }

  #scheduleRound(): () => void {
    return this.#clock.schedule(Math.min(this.#options.profile.reevaluateSeconds * 1000, MAX_DELAY), () => {
      this.reevaluate();
      this.#cancelRound = this.#scheduleRound();
    });
  }

  #close(session: Session, name: TlsEventName, code?: string): void {
    this.#forget(session);
    this.#emit(name, { ...session, code, done: 'connection closed' });
    session.socket.destroy();
  }

  #forget(session: Session): void {
    session.cancel();
    this.#sessions.delete(session);
  }

  #emit(
    name: TlsEventName,
    about: {
      readonly role: 'client' | 'server';
      readonly peer: string;
      readonly shown: X509Certificate | undefined;
      readonly code?: string | undefined;
      readonly done?: string;
    },
  ): void {
    const { role, peer, shown, code, done } = about;
    const at = this.#clock.now();
    this.#options.onEvent(
      tlsSecurityEvent(name, { at, role, peer, code, certificate: shown, ...(done === undefined ? {} : { done }) }),
    );
  }
}

/** What a refused path means before, and in, a running session. */
const HANDSHAKE_EVENTS: Readonly<Record<string, TlsEventName>> = {
  'pki.path.time': 'certificate-expired',
  'pki.path.key': 'key-too-weak',
  'pki.path.usage': 'certificate-purpose-invalid',
  'pki.path.revoked': 'certificate-revoked',
  'pki.path.revocation': 'crl-unavailable',
};
const RUNNING_EVENTS: Readonly<Record<string, TlsEventName>> = {
  'pki.path.time': 'session-certificate-ended',
  'pki.path.revoked': 'session-certificate-revoked',
  'pki.path.revocation': 'session-revocation-unknown',
};

/** Whether a list may change what is thought of a session: its issuer stands in the path. */
const concerns = (list: RevocationList, { path }: Session): boolean =>
  path.some(({ spki }) => Buffer.compare(spki, list.issuer.spki) === 0);

const endpointOf = (socket: Pick<Socket, 'remoteAddress' | 'remotePort'>): string =>
  `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`;

export interface SupervisedServerOptions {
  readonly profile: TlsProfile;
  readonly trust: TlsTrust;
  /** See `tlsServerOptions`. */
  readonly service: string;
  readonly supervisor: SessionSupervisor;
  /** Gets the sockets that were accepted. */
  readonly onSession: (socket: TLSSocket) => void;
}

/**
 * A TLS server under supervision: sockets are guarded, peers checked, failures reported. It listens when told to.
 * @throws PkiError `pki.tls.profile` for a profile that cannot be used
 */
export function supervisedServer(options: SupervisedServerOptions): Server {
  const { profile, trust, service, supervisor, onSession } = options;
  // OpenSSL checks and the supervisor refuses: were Node to refuse by itself, nobody would learn whom and why.
  const server = guardServer(createServer({ ...tlsServerOptions(profile, trust, service), rejectUnauthorized: false }));
  server.on('secureConnection', (socket) => {
    // What a closed peer still sends is of no interest; who uses the socket adds a listener of his own.
    socket.on('error', () => {});
    if (supervisor.watch(socket, 'server')) onSession(socket);
  });
  server.on('tlsClientError', (error, socket) => {
    supervisor.failed(error, 'server', endpointOf(socket));
    socket.destroy();
  });
  return server;
}
