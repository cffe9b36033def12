/** The IED section (IEC 61850-6 § 9.3): what a device serves, how it is set up, what it listens to. */
import { privates } from './common.ts';
import {
  bool,
  defaulted,
  described,
  type ElementSpec,
  element,
  many,
  named,
  one,
  optional,
  required,
  text,
  whole,
  word,
} from './element.ts';

/** Functional constraints (IEC 61850-7-2 § 5.3, table 5 of -7-3). */
export const FUNCTIONAL_CONSTRAINTS = [
  'ST',
  'MX',
  'SP',
  'SV',
  'CF',
  'DC',
  'SG',
  'SE',
  'SR',
  'OR',
  'BL',
  'EX',
  'CO',
  'US',
  'MS',
  'RP',
  'BR',
  'LG',
  'GO',
  'GS',
] as const;
export type FunctionalConstraint = (typeof FUNCTIONAL_CONSTRAINTS)[number];
export const fc = word(FUNCTIONAL_CONSTRAINTS);

/** A member of a data set (§ 9.3.7): a data object, or an attribute of it, under one functional constraint. */
export const FCDA = element('FCDA', {
  attributes: {
    ldInst: defaulted(text, ''),
    prefix: defaulted(text, ''),
    lnClass: defaulted(text, ''),
    lnInst: defaulted(text, ''),
    doName: defaulted(text, ''),
    daName: defaulted(text, ''),
    fc: required(fc, 'ST'),
    ix: optional(whole),
  },
});
export type Fcda = NonNullable<(typeof FCDA)['record']>;

export const DATA_SET = element('DataSet', { attributes: named, children: { ...privates, fcdas: many(FCDA) } });
export type DataSet = NonNullable<(typeof DATA_SET)['record']>;

const TRG_OPS = element('TrgOps', {
  attributes: {
    dchg: defaulted(bool, false),
    qchg: defaulted(bool, false),
    dupd: defaulted(bool, false),
    period: defaulted(bool, false),
    gi: defaulted(bool, true),
  },
});

const OPT_FIELDS = element('OptFields', {
  attributes: {
    seqNum: defaulted(bool, false),
    timeStamp: defaulted(bool, false),
    dataSet: defaulted(bool, false),
    reasonCode: defaulted(bool, false),
    dataRef: defaulted(bool, false),
    entryID: defaulted(bool, false),
    configRef: defaulted(bool, false),
    bufOvfl: defaulted(bool, true),
    segmentation: defaulted(bool, false),
  },
});

const logicalNodeOf = {
  ldInst: optional(text),
  prefix: defaulted(text, ''),
  lnClass: optional(text),
  lnInst: defaulted(text, ''),
};

const RPT_ENABLED = element('RptEnabled', {
  attributes: { max: defaulted(whole, 1), ...described },
  children: {
    clientLns: many(
      element('ClientLN', {
        attributes: { iedName: required(text, ''), apRef: optional(text), ...logicalNodeOf, ...described },
      }),
    ),
  },
});

export const REPORT_CONTROL = element('ReportControl', {
  attributes: {
    ...named,
    datSet: optional(text),
    intgPd: defaulted(whole, 0),
    rptID: optional(text),
    confRev: required(whole, 0),
    buffered: defaulted(bool, false),
    bufTime: defaulted(whole, 0),
    indexed: defaulted(bool, true),
  },
  children: { ...privates, trgOps: one(TRG_OPS), optFields: one(OPT_FIELDS), rptEnabled: one(RPT_ENABLED) },
});
export type ReportControl = NonNullable<(typeof REPORT_CONTROL)['record']>;

export const LOG_CONTROL = element('LogControl', {
  attributes: {
    ...named,
    datSet: optional(text),
    intgPd: defaulted(whole, 0),
    ...logicalNodeOf,
    lnClass: defaulted(text, 'LLN0'),
    logName: required(text, ''),
    logEna: defaulted(bool, true),
    reasonCode: defaulted(bool, true),
    bufTime: defaulted(whole, 0),
  },
  children: { ...privates, trgOps: one(TRG_OPS) },
});
export type LogControl = NonNullable<(typeof LOG_CONTROL)['record']>;

const IED_NAME = element('IEDName', {
  attributes: { apRef: optional(text), ...logicalNodeOf },
  text: true,
});

export const GSE_CONTROL = element('GSEControl', {
  attributes: {
    ...named,
    datSet: optional(text),
    confRev: defaulted(whole, 0),
    type: defaulted(word(['GOOSE', 'GSSE']), 'GOOSE'),
    appID: required(text, ''),
    fixedOffs: defaulted(bool, false),
    securityEnable: defaulted(text, 'None'),
  },
  children: { ...privates, iedNames: many(IED_NAME) },
});
export type GseControl = NonNullable<(typeof GSE_CONTROL)['record']>;

export const SAMPLED_VALUE_CONTROL = element('SampledValueControl', {
  attributes: {
    ...named,
    datSet: optional(text),
    confRev: defaulted(whole, 0),
    smvID: required(text, ''),
    multicast: defaulted(bool, true),
    smpRate: required(whole, 0),
    nofASDU: required(whole, 1),
    smpMod: defaulted(word(['SmpPerPeriod', 'SmpPerSec', 'SecPerSmp']), 'SmpPerPeriod'),
    securityEnable: defaulted(text, 'None'),
  },
  children: {
    ...privates,
    iedNames: many(IED_NAME),
    smvOpts: one(
      element('SmvOpts', {
        attributes: {
          refreshTime: defaulted(bool, false),
          sampleSynchronized: defaulted(bool, true),
          sampleRate: defaulted(bool, false),
          dataSet: defaulted(bool, false),
          security: defaulted(bool, false),
          timestamp: defaulted(bool, false),
          synchSourceId: defaulted(bool, false),
        },
      }),
    ),
  },
});

export type SampledValueControl = NonNullable<(typeof SAMPLED_VALUE_CONTROL)['record']>;

export const SETTING_CONTROL = element('SettingControl', {
  attributes: { numOfSGs: required(whole, 1), actSG: defaulted(whole, 1), resvTms: optional(whole), ...described },
});
export type SettingControl = NonNullable<(typeof SETTING_CONTROL)['record']>;

/** What a logical node takes from others (§ 9.3.13); empty `iedName` or `srcCBName`: not bound yet, or not to a control block. */
export const EXT_REF = element('ExtRef', {
  attributes: {
    iedName: optional(text),
    ldInst: optional(text),
    prefix: defaulted(text, ''),
    lnClass: optional(text),
    lnInst: defaulted(text, ''),
    doName: optional(text),
    daName: optional(text),
    intAddr: optional(text),
    serviceType: optional(word(['Poll', 'Report', 'GOOSE', 'SMV'])),
    srcLDInst: optional(text),
    srcPrefix: defaulted(text, ''),
    srcLNClass: optional(text),
    srcLNInst: defaulted(text, ''),
    srcCBName: optional(text),
    pServT: optional(word(['Poll', 'Report', 'GOOSE', 'SMV'])),
    pLN: optional(text),
    pDO: optional(text),
    pDA: optional(text),
    ...described,
  },
});
export type ExtRef = NonNullable<(typeof EXT_REF)['record']>;

/** A value given to an attribute; one for each setting group that has its own. */
export const VAL = element('Val', { attributes: { sGroup: optional(whole) }, text: true });

const VAL_KINDS = ['Spec', 'Conf', 'RO', 'Set'] as const;

export const DAI = element('DAI', {
  attributes: {
    name: required(text, ''),
    desc: optional(text),
    ix: optional(whole),
    sAddr: optional(text),
    valKind: optional(word(VAL_KINDS)),
    valImport: optional(bool),
  },
  children: { ...privates, vals: many(VAL) },
});
export type Dai = NonNullable<(typeof DAI)['record']>;

/** A structured part of a data object, with parts of its own. */
export interface Sdi {
  readonly line: number;
  readonly name: string;
  readonly desc: string;
  readonly ix: number | undefined;
  readonly sAddr: string | undefined;
  readonly sdis: readonly Sdi[];
  readonly dais: readonly Dai[];
  readonly privates: Dai['privates'];
}
export const SDI: ElementSpec<Sdi> = element('SDI', {
  attributes: { ...named, ix: optional(whole), sAddr: optional(text) },
  children: { ...privates, sdis: many(() => SDI), dais: many(DAI) },
}) as ElementSpec<Sdi>;

export const DOI = element('DOI', {
  attributes: { ...named, ix: optional(whole), accessControl: optional(text) },
  children: { ...privates, sdis: many(SDI), dais: many(DAI) },
});
export type Doi = NonNullable<(typeof DOI)['record']>;

const logicalNode = {
  ...privates,
  dataSets: many(DATA_SET),
  reportControls: many(REPORT_CONTROL),
  logControls: many(LOG_CONTROL),
  dois: many(DOI),
  inputs: one(element('Inputs', { attributes: described, children: { ...privates, extRefs: many(EXT_REF) } })),
  logs: many(element('Log', { attributes: { name: optional(text), ...described } })),
  gseControls: many(GSE_CONTROL),
  sampledValueControls: many(SAMPLED_VALUE_CONTROL),
  settingControl: one(SETTING_CONTROL),
};

/** LN and LN0 are one record; LN0 has the class LLN0 and an empty instance. */
export const LN = element('LN', {
  attributes: {
    prefix: defaulted(text, ''),
    lnClass: required(text, ''),
    inst: required(text, ''),
    lnType: required(text, ''),
    ...described,
  },
  children: logicalNode,
});
export type Ln = NonNullable<(typeof LN)['record']>;

export const LN0 = element('LN0', {
  attributes: {
    prefix: defaulted(text, ''),
    lnClass: defaulted(text, 'LLN0'),
    inst: defaulted(text, ''),
    lnType: required(text, ''),
    ...described,
  },
  children: logicalNode,
});

export const LDEVICE = element('LDevice', {
  attributes: { inst: required(text, ''), ldName: optional(text), ...described },
  children: {
    ...privates,
    ln0: one(LN0),
    lns: many(LN),
    accessControl: one(element('AccessControl', { text: true, anything: true })),
  },
});
export type LDevice = NonNullable<(typeof LDEVICE)['record']>;

/** A client that is known beforehand (§ 9.3.4). */
const ASSOCIATION = element('Association', {
  attributes: {
    kind: required(word(['pre-established', 'predefined']), 'predefined'),
    associationID: optional(text),
    iedName: required(text, ''),
    ...logicalNodeOf,
    ...described,
  },
});

const SERVER = element('Server', {
  attributes: { timeout: defaulted(whole, 30), ...described },
  children: {
    authentication: one(
      element('Authentication', {
        attributes: {
          none: defaulted(bool, true),
          password: defaulted(bool, false),
          weak: defaulted(bool, false),
          strong: defaulted(bool, false),
          certificate: defaulted(bool, false),
        },
      }),
    ),
    lDevices: many(LDEVICE),
    associations: many(ASSOCIATION),
  },
});

/** Capabilities (§ 9.3.2), as they stand: each supplement adds some. */
export const SERVICES = element('Services', { attributes: { nameLength: optional(text) }, anything: true });

/** A certificate, as it stands (§ 9.3.3). */
const certificateOf = (tag: string) =>
  element(tag, { attributes: { xferNumber: optional(whole), serialNumber: optional(text), ...named }, anything: true });

export const ACCESS_POINT = element('AccessPoint', {
  attributes: { ...named, router: defaulted(bool, false), clock: defaulted(bool, false), kdc: defaulted(bool, false) },
  children: {
    ...privates,
    server: one(SERVER),
    lns: many(LN),
    serverAt: one(element('ServerAt', { attributes: { apName: required(text, ''), ...described } })),
    services: one(SERVICES),
    gooseSecurities: many(certificateOf('GOOSESecurity')),
    smvSecurities: many(certificateOf('SMVSecurity')),
  },
});

/** Which access point hands out keys to this device (IEC 62351-9). */
const KDC = element('KDC', { attributes: { iedName: required(text, ''), apName: required(text, '') } });

export const IED = element('IED', {
  attributes: {
    ...named,
    type: optional(text),
    manufacturer: optional(text),
    configVersion: optional(text),
    originalSclVersion: optional(text),
    originalSclRevision: optional(text),
    originalSclRelease: optional(text),
    engRight: optional(text),
    owner: optional(text),
  },
  children: { ...privates, services: one(SERVICES), accessPoints: many(ACCESS_POINT), kdcs: many(KDC) },
});
export type Ied = NonNullable<(typeof IED)['record']>;
