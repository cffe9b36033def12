/** The IED that is measured: measured values in nodes of ten, all of them in one data set, with a control block of each kind on it. */

/** Data objects, each a measured value with quality and time: what is counted as one value. */
export const OBJECTS = 100;
/** Milliseconds. A report goes out when a member changes again, so only the last one waits for it. */
const BUFFER_TIME = 20;

export const DEVICE = 'BLD';
/** `[GGIO1, AnIn1]` … */
export const objects: readonly (readonly [node: string, object: string])[] = Array.from({ length: OBJECTS }, (_, i) => [
  `GGIO${Math.floor(i / 10) + 1}`,
  `AnIn${(i % 10) + 1}`,
]);

export function scd(): string {
  const ten = Array.from({ length: 10 }, (_, i) => i + 1);
  const members = objects.map(
    ([node, object]) => `<FCDA ldInst="LD" lnClass="GGIO" lnInst="${node.slice(4)}" doName="${object}" fc="MX"/>`,
  );
  const block = (name: string, buffered: boolean) => `
    <ReportControl name="${name}" rptID="${name}" datSet="All" confRev="1" buffered="${buffered}" indexed="false" bufTime="${BUFFER_TIME}">
      <TrgOps dchg="true" gi="true"/><OptFields seqNum="true" timeStamp="true" reasonCode="true" entryID="${buffered}"/>
    </ReportControl>`;
  return `<SCL xmlns="http://www.iec.ch/61850/2003/SCL" version="2007" revision="B" release="4"><Header id="benchmark"/>
<IED name="B"><AccessPoint name="AP"><Server><Authentication/><LDevice inst="LD">
  <LN0 lnClass="LLN0" inst="" lnType="LLN0"><DataSet name="All">${members.join('')}</DataSet>${block('urcb', false)}${block('brcb', true)}</LN0>
  ${ten.map((i) => `<LN lnClass="GGIO" inst="${i}" lnType="GGIO"/>`).join('')}
</LDevice></Server></AccessPoint></IED>
<DataTypeTemplates>
  <LNodeType id="LLN0" lnClass="LLN0"><DO name="NamPlt" type="LPL"/></LNodeType>
  <LNodeType id="GGIO" lnClass="GGIO">${ten.map((i) => `<DO name="AnIn${i}" type="MV"/>`).join('')}</LNodeType>
  <DOType id="LPL" cdc="LPL"><DA name="vendor" bType="VisString255" fc="DC"><Val>Example</Val></DA></DOType>
  <DOType id="MV" cdc="MV"><DA name="mag" bType="Struct" type="AnalogueValue" fc="MX" dchg="true"/><DA name="q" bType="Quality" fc="MX" qchg="true"/><DA name="t" bType="Timestamp" fc="MX"/></DOType>
  <DAType id="AnalogueValue"><BDA name="f" bType="FLOAT32"/></DAType>
</DataTypeTemplates></SCL>`;
}

/** What a client finds. Times are of the whole run but for `p50Ms` and `p99Ms`, which are of one call. */
export interface ClientResult {
  readonly values: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Of the server while it made the changes; where there are reports. */
  readonly serverCpuSeconds?: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
}
