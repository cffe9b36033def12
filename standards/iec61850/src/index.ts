/** IEC 61850: SCL, ACSI client and server, GOOSE and sampled values. */

/** Values as MMS has them: `{ kind: 'boolean', value: true }`. */
export type { Data } from '@enerchain/mms';
export { type CheckDepth, checkDevice, type ModelDifference } from './client/check.ts';
export { type DataSetMember, Iec61850Client, type Iec61850ClientOptions } from './client/client.ts';
export type { ControlStep, OperateOptions, OperateOutcome } from './client/control.ts';
export type { FileEntry, FileProgress, ListFilesOptions, PutFileOptions, ReadFileOptions } from './client/files.ts';
export type { DeviceClock, SessionGap, SessionGapKind } from './client/gaps.ts';
export type { KeepOptions, KeptSubscription } from './client/kept-subscription.ts';
export type { LogControlInfo, LogPlace, LogQuery } from './client/logs.ts';
export { browse, type Outline, outlineOf } from './client/outline.ts';
export * from './client/references.ts';
export type {
  ReceivedMember,
  ReceivedReport,
  ReportGap,
  ReportSubscription,
  SubscribeOptions,
} from './client/reports.ts';
export {
  Iec61850Session,
  type KeptDataSet,
  type Missing,
  type SessionOptions,
  type SessionState,
  type Way,
} from './client/session.ts';
export type { SettingGroupInfo } from './client/setting-groups.ts';
export type { SubstituteOptions, SubstitutionState } from './client/substitution.ts';
export { type Fault, Iec61850Error } from './error.ts';
export * from './goose/controls.ts';
export {
  decodeGoose,
  encodeGoose,
  type GooseEncoding,
  type GooseMessage,
  GooseView,
} from './goose/message.ts';
export * from './goose/outcome.ts';
export * from './goose/publish.ts';
export * from './goose/publisher.ts';
export * from './goose/subscribe.ts';
export { GooseSubscriber } from './goose/subscriber.ts';
export { basicType, codeOf, DBPOS, initialData, sameData, TCMD } from './mapping/basic-types.ts';
export * from './mapping/comtrade-files.ts';
export * from './mapping/control.ts';
export { millisOfGeneralizedTime } from './mapping/file-names.ts';
export { decodeLogEntry, encodeLogEntry, type LogEntry, type LoggedValue } from './mapping/log.ts';
export {
  dataFrom,
  type Plain,
  plainOf,
  QUALITY_FLAGS,
  type Quality61850,
  qualityOf,
  qualityText,
  timeText,
} from './mapping/plain.ts';
export {
  decodeReport,
  encodeReport,
  isReport,
  type OptField,
  type Report,
  type ReportMember,
  type Trigger,
} from './mapping/report.ts';
export type { LinkEvent, ListenerCounters } from './multicast/directory.ts';
export * from './multicast/inputs.ts';
export { initialValue, mismatch, type PublishedMember, publishedMembers, withPart } from './multicast/members.ts';
export type { MulticastAddress, PublishedControl } from './multicast/published-controls.ts';
export type { ProblemEvent, SimulationEvent } from './multicast/supervision.ts';
export { checkScl, type SclCheck } from './scl/check/check.ts';
export { addressPart } from './scl/check/communication.ts';
export { extractIed } from './scl/extract.ts';
export { compareFacts, type FactChange, type Facts, factsOf } from './scl/facts.ts';
export { IEC104_NAMESPACE, type Iec104Address, iec104Addresses } from './scl/iec104-addresses.ts';
export { type LNodeLink, lNodeLinks } from './scl/links.ts';
export * from './scl/model.ts';
export { IEC104_PRIVATE, readScl, readSclFile, type SclFile, SclReader, type SclReadOptions } from './scl/reader.ts';
export type { Communication, ConnectedAp } from './scl/schema/communication.ts';
export type { XmlNode } from './scl/schema/element.ts';
export * from './scl/schema/ied.ts';
export type { Scl } from './scl/schema/scl.ts';
export type { ConductingEquipment, Substation } from './scl/schema/substation.ts';
export type { BasicType } from './scl/schema/templates.ts';
export * from './scl/types.ts';
export { sclText } from './scl/writer.ts';
export { validateByXsd } from './scl/xsd.ts';
export * from './server/access.ts';
export type { ControlHandler, ControlRequest } from './server/control.ts';
export { FolderStore } from './server/files/folder.ts';
export type { FileOptions } from './server/files/service.ts';
export * from './server/files/store.ts';
export { type LogMark, type LogStart, type LogStore, MemoryLog } from './server/logs/store.ts';
export { Iec61850Server, type Iec61850ServerOptions } from './server/server.ts';
export type { WriteRequest } from './server/services.ts';
export type {
  SettingGroupChange,
  SettingGroupOptions,
  SettingGroupState,
  SettingGroupStore,
} from './server/setting-groups.ts';
export { SettingsFile } from './server/settings-file.ts';
export { type SampledValueControl, sampledValueControls, samplesPerSecond } from './sv/controls.ts';
export * from './sv/layout.ts';
export * from './sv/message.ts';
export * from './sv/publish.ts';
export * from './sv/publisher.ts';
export * from './sv/subscribe.ts';
export * from './sv/subscriber.ts';
