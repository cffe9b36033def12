/** Puts the trust of a centre together: policy, authorities, attester of its own, keeper, and what is kept of it. */
import { join } from 'node:path';
import { ProcessAttester, type RegisterValue, type TpmSettings, type TrustPolicy } from '@enerchain/attestation';
import { systemAfter } from '@enerchain/link';
import { type Clock, describeError, type SiteDocument } from '@enerchain/model';
import type { TpmClient } from '@enerchain/tpm2';
import { certifyHere, type DevelopmentCa, type EndorsementPolicy } from '@enerchain/trust';
import type { Logger } from 'pino';
import type { CentreIdentity } from '../identity.ts';
import type { Findings } from '../ingest/findings.ts';
import type { IngestLog } from '../log/log.ts';
import type { LogPublisher, LogWriter, SourceRole } from '../ports.ts';
import type { RevocationList } from '../sources/revocation.ts';
import { Authorities } from './authority.ts';
import { BundleSigner } from './bundle.ts';
import { certifiedOriginOf } from './certificates.ts';
import { TrustKeeper } from './keeper.ts';
import { OwnEvidence } from './own-evidence.ts';
import { readTrust, writeTrust } from './snapshot.ts';

/** Milliseconds after which a manifest that was put into the folder is found. */
const LOOK_MILLIS = 10_000;

export interface TrustOptions {
  readonly policy: TrustPolicy;
  /** Folder of the installation: it is measured, and under a development policy vouched for. Absent: neither. */
  readonly installation?: string;
  /** Development: files of nodes that are vouched for, path by component name by node. */
  readonly nodes?: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Development: golden values of the boot of every node with a TPM. */
  readonly boot?: readonly RegisterValue[];
}

export interface TrustParts {
  readonly trust: TrustOptions;
  readonly dataDir: string;
  readonly identity: CentreIdentity;
  readonly ca: DevelopmentCa;
  readonly log: IngestLog;
  readonly out: LogWriter & LogPublisher;
  readonly findings: Findings;
  readonly revocations: RevocationList;
  /** Of this machine; absent: software attests. */
  readonly tpm?: TpmClient | undefined;
  /** Whose TPMs count; absent: none. */
  readonly endorsement: EndorsementPolicy | undefined;
  readonly roleOf: (source: string) => SourceRole | undefined;
  /** What a source has announced. */
  readonly siteOf: (source: string) => SiteDocument | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface OpenTrust {
  readonly keeper: TrustKeeper;
  readonly authorities: Authorities;
  /** What the nodes of the network judge by. */
  readonly bundle: BundleSigner;
  /** What gateways are answered that attest the centre; absent: nothing. */
  readonly evidence: OwnEvidence | undefined;
  /** Writes down what must not be forgotten. */
  save(): Promise<void>;
  close(): Promise<void>;
}

/** @throws EnerchainError when keys or folders cannot be used */
export async function openTrust(parts: TrustParts): Promise<OpenTrust> {
  const { trust, dataDir, identity, ca, log, out, findings, revocations, roleOf, siteOf, clock, logger } = parts;
  const { policy, installation, nodes, boot } = trust;
  const development = policy.appraisal?.firstConfiguration === true;
  const authorities = await Authorities.open({
    dir: join(dataDir, 'trust'),
    clock,
    logger,
    ...(development ? { installation, nodes, boot } : {}),
  });
  const tpm = tpmOf(parts);
  const own = installation
    ? new ProcessAttester({
        root: installation,
        dataDir,
        identity: () => identity.current,
        ...(tpm ? { tpm } : {}),
        clock,
        onTrouble: (error) => logger.error({ error: describeError(error) }, 'the centre cannot attest itself'),
      })
    : undefined;
  const file = join(dataDir, 'trust.json');
  const kept = await readTrust(log.files, file, log.id);
  const keeper = new TrustKeeper({
    policy,
    get identity() {
      return identity.current;
    },
    references: authorities.references,
    log: out,
    findings,
    clock,
    after: systemAfter,
    logger,
    get caPem() {
      return ca.certificatePem;
    },
    isRevoked: (fingerprint) => revocations.has(fingerprint),
    certifiedOriginOf: (node) => certifiedOriginOf(node, ca),
    certificateOf: (kid) => ca.certificateOf(kid),
    inputsOf: (source) => inputsIn(siteOf(source)),
    acceptFirst: (node, measurements) => authorities.acceptFirst(node, measurements),
    vouchedAnew: authorities.changed,
    ...(own ? { own } : {}),
    ...(kept ? { kept: kept.nodes } : {}),
  });
  const bundle = new BundleSigner({
    get identity() {
      return identity.current;
    },
    policy,
    authorities,
    revoked: () => revocations.all().map(({ fingerprint }) => fingerprint),
    clock,
  });
  const evidence =
    own &&
    new OwnEvidence({
      attester: own.attester,
      onChange: (listener) => own.onChange(listener),
      clock,
      after: systemAfter,
    });
  await restoreFromLog(log, kept?.next ?? 0, keeper, roleOf);

  let saving: Promise<void> = Promise.resolve();
  const save = () => {
    saving = saving
      .then(() => writeTrust(log.files, file, log.id, { next: log.bounds().next, nodes: keeper.kept }))
      .catch((error) => logger.error({ error: describeError(error) }, 'the state of trust could not be written down'));
    return saving;
  };
  let due = false;
  keeper.onMustSave(() => {
    if (due) return;
    due = true;
    setImmediate(() => {
      due = false;
      void save();
    });
  });
  keeper.start();
  const looking = setInterval(() => {
    authorities.look().catch((error) => logger.error({ error: describeError(error) }, 'manifests cannot be read'));
  }, LOOK_MILLIS);
  looking.unref();
  return {
    keeper,
    authorities,
    bundle,
    evidence,
    save,
    close: async () => {
      clearInterval(looking);
      keeper.close();
      evidence?.close();
      own?.close();
      await save();
    },
  };
}

const NONE: readonly string[] = [];
/** Asked for with every value: a document may have thousands of endpoints. */
const known = new WeakMap<SiteDocument, readonly string[]>();

function inputsIn(document: SiteDocument | undefined): readonly string[] {
  if (!document) return NONE;
  let inputs = known.get(document);
  if (!inputs) {
    inputs = [...new Set(document.endpoints.flatMap((endpoint) => endpoint.inputs ?? []))];
    known.set(document, inputs);
  }
  return inputs;
}

/** By which the centre attests itself. Without a maker that is known nobody would believe it: then software does. */
function tpmOf({
  tpm: client,
  endorsement,
  identity,
  ca,
  dataDir,
  clock,
  logger,
}: TrustParts): TpmSettings | undefined {
  if (!client) return undefined;
  if (!endorsement) {
    logger.warn('the centre has a TPM and attests by software all the same: no maker of TPMs is known (--tpm-maker)');
    return undefined;
  }
  const dir = join(dataDir, 'identity');
  return {
    tpm: { client, identity: undefined },
    identityDir: dir,
    certify: (tpm) => certifyHere({ authority: ca, endorsement, identity: identity.current, dir, tpm, clock }),
  };
}

/** Results that were logged after the last time the state was written down. */
async function restoreFromLog(
  log: IngestLog,
  from: number,
  keeper: TrustKeeper,
  roleOf: (source: string) => SourceRole | undefined,
): Promise<void> {
  const { first, next } = log.bounds();
  let at = Math.max(first, Math.min(from, next));
  if (at >= next) return;
  const stop = new AbortController();
  for await (const entries of log.read(at, stop.signal)) {
    for (const { offset, content } of entries) {
      at = offset + 1;
      if (content.kind === 'attestation') {
        const { node } = content.record;
        keeper.restore(content.record, node === 'centre' ? 'centre' : (roleOf(node) ?? 'edge'));
      }
    }
    if (at >= next) break;
  }
  stop.abort();
}
