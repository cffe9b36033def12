/**
 * A node of the Trusted Core Network that carries no values. It enrols with the centre and has no link to it: what it judges
 * by, it gets from its neighbours, and what it finds reaches the centre through them.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type EvidenceCursor, LINUX_LOGS, ProcessAttester } from '@enerchain/attestation';
import { lockFolder } from '@enerchain/host';
import { describeError, EnerchainError } from '@enerchain/model';
import { COAP_KEY_FILE, type TcnSettings, TcnStation, tpmQuoter } from '@enerchain/tcn';
import {
  enrol,
  hasEnded,
  type Identity,
  type NodeKeys,
  type NodeTpm,
  openIdentity,
  openNodeKeys,
  Renewal,
  type Signer,
} from '@enerchain/trust';
import type { Logger } from 'pino';
import { type Mischief, mischiefNow } from './mischief.ts';

export interface NetworkNodeOptions {
  /** Written by the lab: name, listener, neighbours, what is measured. */
  readonly file: string;
  /** Folder of this node alone. */
  readonly dataDir: string;
  /** Folder of the installation, which is measured. */
  readonly installation: string;
  readonly centre: { readonly url: string; readonly token?: string };
  readonly logger: Logger;
  readonly signal?: AbortSignal;
}

export interface NetworkNodeHandle {
  readonly name: string;
  readonly station: TcnStation;
  readonly closed: Promise<void>;
  close(): Promise<void>;
}

interface NodeFile {
  readonly source: string;
  readonly trust: {
    readonly listen: string;
    readonly neighbours: readonly { readonly name: string; readonly address: string }[];
    readonly measure: readonly string[];
    /** Socket of its TPM, and the event log of its boot. */
    readonly tpm?: string;
    readonly eventLog?: string;
    /** UDP address for attestation in the format of CHARRA; needs a TPM. */
    readonly coap?: string;
  };
}

const RETRY = 2_000;
/** How often the node looks whether it is to do something wrong, milliseconds. */
const LOOK = 300;

/** @throws EnerchainError when there is no identity and no token, or another process uses the folder */
export async function runNetworkNode(options: NetworkNodeOptions): Promise<NetworkNodeHandle> {
  const { file, dataDir, logger, signal } = options;
  const content = JSON.parse(readFileSync(file, 'utf8')) as NodeFile;
  const { tpm } = content.trust;
  const lock = lockFolder(dataDir, `the network node ${content.source}`);
  let keys: NodeKeys | undefined;
  try {
    keys = await openNodeKeys(tpm === undefined ? { key: { place: 'file' } } : { tpm, key: { place: 'tpm' } });
    const identity = await identityOf(options, content.source, keys.signer);
    const node = new NetworkNode(options, content, identity, keys);
    void node.closed.then(() => lock.release());
    await node.start();
    if (signal?.aborted) await node.close();
    else signal?.addEventListener('abort', () => void node.close(), { once: true });
    logger.info({ address: node.station.address }, 'network node runs');
    return node;
  } catch (error) {
    await keys?.close();
    lock.release();
    throw error;
  }
}

async function identityOf(
  { dataDir, centre, logger, signal }: NetworkNodeOptions,
  name: string,
  signer: Signer | undefined,
): Promise<Identity> {
  const dir = join(dataDir, 'identity');
  const known = await openIdentity(dir, signer).catch((error: unknown) => {
    if (error instanceof EnerchainError && error.code === 'trust.identity.missing') return undefined;
    throw error;
  });
  if (known && (centre.token === undefined || !hasEnded(known))) return known;
  const { token } = centre;
  if (token === undefined) {
    const text = `the network node '${name}' has no identity in ${dir}; start it once with an enrolment token`;
    throw new EnerchainError('caller', 'lab.network.identity', text);
  }
  for (;;) {
    try {
      const url = `https://${new URL(centre.url).host}`;
      return await enrol({ dir, token, url, ...(signer ? { signer } : {}) });
    } catch (error) {
      if (!(error instanceof EnerchainError) || error.code !== 'trust.enrol.connect') throw error;
      signal?.throwIfAborted();
      logger.warn({ error: describeError(error) }, 'the centre cannot be reached for the enrolment; trying again');
      await pause(RETRY, undefined, signal ? { signal } : {});
    }
  }
}

class NetworkNode implements NetworkNodeHandle {
  readonly name: string;
  readonly closed: Promise<void>;
  station: TcnStation;
  readonly #options: NetworkNodeOptions;
  readonly #content: NodeFile;
  readonly #keys: NodeKeys;
  readonly #renewal: Renewal;
  readonly #attester: ProcessAttester;
  readonly #faultFile: string;
  #mischief: ReadonlySet<Mischief> = new Set();
  /** Evidence of an earlier time, for whoever replays. */
  #old: Uint8Array | undefined;
  #clone: { readonly station: TcnStation; readonly attester: ProcessAttester } | undefined;
  #looking: NodeJS.Timeout | undefined;
  #changing: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #resolveClosed: () => void = () => undefined;

  constructor(options: NetworkNodeOptions, content: NodeFile, identity: Identity, keys: NodeKeys) {
    const { dataDir, centre, logger, file } = options;
    this.name = content.source;
    this.#options = options;
    this.#content = content;
    this.#keys = keys;
    this.#faultFile = join(dirname(resolve(file)), `${content.source}.fault`);
    this.closed = new Promise((done) => {
      this.#resolveClosed = done;
    });
    this.#renewal = new Renewal({
      dir: join(dataDir, 'identity'),
      identity,
      url: centre.url,
      evidence: (binding) => this.#attester.proof(binding),
      onRenewed: (renewed) => this.station.renewed(renewed),
      onFailed: (error) => logger.warn({ error: describeError(error) }, 'the certificate could not be renewed'),
    });
    this.#attester = this.#newAttester(dataDir, keys.tpm);
    this.station = this.#newStation(dataDir, this.#attester, true);
  }

  async start(): Promise<void> {
    await this.station.start();
    this.#looking = setInterval(() => this.#look(), LOOK);
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown().finally(() => this.#resolveClosed());
    return this.#closing;
  }

  async #shutDown(): Promise<void> {
    clearInterval(this.#looking);
    this.#renewal.close();
    await this.#changing;
    await this.#endClone();
    await this.station.close();
    this.#attester.close();
    await this.#keys.close();
  }

  #newAttester(dataDir: string, tpm?: NodeTpm): ProcessAttester {
    const folder = dirname(resolve(this.#options.file));
    const { eventLog } = this.#content.trust;
    const url = `https://${new URL(this.#options.centre.url).host}`;
    const settings = tpm && { tpm, identityDir: join(dataDir, 'identity'), url, ...(eventLog ? { eventLog } : {}) };
    return new ProcessAttester({
      root: this.#options.installation,
      dataDir,
      identity: () => this.#renewal.identity,
      files: new Map([
        ['config:site', resolve(this.#options.file)],
        ...this.#content.trust.measure.map((each): [string, string] => [`device:${each}`, resolve(folder, each)]),
      ]),
      ...(settings ? { tpm: settings } : {}),
      onTrouble: (error) => this.#options.logger.error({ error: describeError(error) }, 'this node cannot attest'),
    });
  }

  #newStation(dataDir: string, attester: ProcessAttester, listens: boolean): TcnStation {
    const { logger } = this.#options;
    const { listen, neighbours, coap, eventLog } = this.#content.trust;
    const settings: TcnSettings = {
      ...(listens ? { listen: addressOf(listen) } : {}),
      ...(listens && coap !== undefined ? { coap: addressOf(coap) } : {}),
      neighbours: neighbours.map(({ name, address }) => ({ name, address: addressOf(address) })),
    };
    const { tpm } = this.#keys;
    const logs = { ima: LINUX_LOGS.ima, 'tcg-boot': eventLog ?? LINUX_LOGS.events };
    return new TcnStation({
      identity: this.#renewal.identity,
      attester: {
        evidence: async (bindings, since) => this.#evidence(attester, bindings, since),
        onChange: (listener) => attester.onChange(listener),
      },
      settings,
      dataDir,
      software: 'CloudEnerChain lab',
      ...(tpm ? { quote: tpmQuoter({ tpm: tpm.client, keyFile: join(dataDir, COAP_KEY_FILE), logs }) } : {}),
      onEvent: ({ kind, code, node, text }) => logger[kind === 'security' ? 'warn' : 'info']({ code, node }, text),
      onNotice: (text) => logger.info(text),
    });
  }

  async #evidence(
    attester: ProcessAttester,
    bindings: readonly Uint8Array[],
    since: EvidenceCursor | undefined,
  ): Promise<Uint8Array> {
    if (this.#mischief.has('attester-stopped')) throw new Error('the attester was stopped');
    if (this.#mischief.has('quote-replayed') && this.#old) return this.#old;
    const evidence = await (await attester.attester).evidence(bindings, since);
    this.#old = evidence;
    return evidence;
  }

  #look(): void {
    const now = mischiefNow(this.#faultFile);
    const began = (kind: Mischief) => now.has(kind) && !this.#mischief.has(kind);
    const ended = (kind: Mischief) => !now.has(kind) && this.#mischief.has(kind);
    const change = (act: () => Promise<void>) => {
      this.#changing = this.#changing.then(act).catch((error: unknown) => {
        this.#options.logger.error({ error: describeError(error) }, 'a fault could not be made');
      });
    };
    if (began('network-partition')) change(() => this.station.close());
    if (ended('network-partition')) {
      change(async () => {
        this.station = this.#newStation(this.#options.dataDir, this.#attester, true);
        await this.station.start();
      });
    }
    if (began('device-cloned')) change(() => this.#beginClone());
    if (ended('device-cloned')) change(() => this.#endClone());
    this.#mischief = now;
  }

  /** A second device with the key of this one. */
  async #beginClone(): Promise<void> {
    const dataDir = join(this.#options.dataDir, 'clone');
    const attester = this.#newAttester(dataDir);
    const station = this.#newStation(dataDir, attester, false);
    this.#clone = { station, attester };
    await station.start();
  }

  async #endClone(): Promise<void> {
    await this.#clone?.station.close();
    this.#clone?.attester.close();
    this.#clone = undefined;
  }
}

function addressOf(text: string): { host: string; port: number } {
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at), port: Number(text.slice(at + 1)) };
}
