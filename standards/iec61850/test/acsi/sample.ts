/** A bay controller with a switch for each control model, measured values, data sets and report control blocks. */
import { checkScl, type IedModel, readScl } from '../../src/index.ts';

const control = (ctlVal: string, type: string, timed: boolean) => `
  <DAType id="Oper${type}"><BDA name="ctlVal" bType="${ctlVal}"/>${timed ? '<BDA name="operTm" bType="Timestamp"/>' : ''}
    <BDA name="origin" bType="Struct" type="Origin"/><BDA name="ctlNum" bType="INT8U"/><BDA name="T" bType="Timestamp"/>
    <BDA name="Test" bType="BOOLEAN"/><BDA name="Check" bType="Check"/></DAType>
  <DAType id="Cancel${type}"><BDA name="ctlVal" bType="${ctlVal}"/>${timed ? '<BDA name="operTm" bType="Timestamp"/>' : ''}
    <BDA name="origin" bType="Struct" type="Origin"/><BDA name="ctlNum" bType="INT8U"/><BDA name="T" bType="Timestamp"/>
    <BDA name="Test" bType="BOOLEAN"/></DAType>`;

const spc = (id: string, model: string, timed = false) => `
  <DOType id="${id}" cdc="SPC">
    <DA name="stVal" bType="BOOLEAN" fc="ST" dchg="true"/><DA name="q" bType="Quality" fc="ST" qchg="true"/><DA name="t" bType="Timestamp" fc="ST"/>
    <DA name="stSeld" bType="BOOLEAN" fc="ST" dchg="true"/>
    <DA name="ctlModel" bType="Enum" type="CtlModel" fc="CF"><Val>${model}</Val></DA><DA name="sboTimeout" bType="INT32U" fc="CF"><Val>10000</Val></DA>
    ${model.startsWith('sbo-with-normal') ? '<DA name="SBO" bType="ObjRef" fc="CO"/>' : ''}
    ${model.startsWith('sbo-with-enhanced') ? `<DA name="SBOw" bType="Struct" type="Oper${timed ? 'T' : 'B'}" fc="CO"/>` : ''}
    <DA name="Oper" bType="Struct" type="Oper${timed ? 'T' : 'B'}" fc="CO"/><DA name="Cancel" bType="Struct" type="Cancel${timed ? 'T' : 'B'}" fc="CO"/>
  </DOType>`;

export const SCD = `<SCL xmlns="http://www.iec.ch/61850/2003/SCL" version="2007" revision="B" release="4"><Header id="acsi"/>
<IED name="BCU1"><AccessPoint name="AP1"><Server><Authentication/><LDevice inst="CTRL">
  <LN0 lnClass="LLN0" inst="" lnType="LLN0">
    <DataSet name="Switches"><FCDA ldInst="CTRL" lnClass="GGIO" lnInst="1" doName="SPCSO1" fc="ST"/><FCDA ldInst="CTRL" lnClass="GGIO" lnInst="1" doName="SPCSO2" fc="ST"/></DataSet>
    <DataSet name="Values"><FCDA ldInst="CTRL" lnClass="MMXU" lnInst="1" doName="TotW" fc="MX"/><FCDA ldInst="CTRL" lnClass="MMXU" lnInst="1" doName="Hz" daName="mag.f" fc="MX"/></DataSet>
    <ReportControl name="urcb" rptID="U" datSet="Values" confRev="1" indexed="true" intgPd="5000"><TrgOps dchg="true" qchg="true" period="true" gi="true"/><OptFields seqNum="true" reasonCode="true" dataSet="true"/><RptEnabled max="2"/></ReportControl>
    <ReportControl name="brcb" datSet="Switches" confRev="7" buffered="true" indexed="false" bufTime="0"><TrgOps dchg="true" qchg="true" gi="true"/><OptFields seqNum="true" entryID="true"/></ReportControl>
  </LN0>
  <LN lnClass="GGIO" inst="1" lnType="GGIO"/><LN lnClass="MMXU" inst="1" lnType="MMXU"/>
</LDevice></Server></AccessPoint></IED>
<DataTypeTemplates>
  <LNodeType id="LLN0" lnClass="LLN0"><DO name="NamPlt" type="LPL"/></LNodeType>
  <LNodeType id="GGIO" lnClass="GGIO"><DO name="SPCSO1" type="Direct"/><DO name="SPCSO2" type="Sbo"/><DO name="SPCSO3" type="DirectE"/><DO name="SPCSO4" type="SboE"/><DO name="SPCSO5" type="Timed"/><DO name="SPCSO6" type="StatusOnly"/></LNodeType>
  <LNodeType id="MMXU" lnClass="MMXU"><DO name="TotW" type="MV"/><DO name="Hz" type="MV"/></LNodeType>
  <DOType id="LPL" cdc="LPL"><DA name="vendor" bType="VisString255" fc="DC"><Val>Example</Val></DA></DOType>
  <DOType id="MV" cdc="MV"><DA name="mag" bType="Struct" type="AnalogueValue" fc="MX" dchg="true"/><DA name="q" bType="Quality" fc="MX" qchg="true"/><DA name="t" bType="Timestamp" fc="MX"/><DA name="db" bType="INT32U" fc="CF"><Val>100</Val></DA></DOType>
  ${spc('Direct', 'direct-with-normal-security')}${spc('Sbo', 'sbo-with-normal-security')}${spc('DirectE', 'direct-with-enhanced-security')}${spc('SboE', 'sbo-with-enhanced-security')}${spc('Timed', 'direct-with-enhanced-security', true)}${spc('StatusOnly', 'status-only')}
  <DAType id="AnalogueValue"><BDA name="f" bType="FLOAT32"/></DAType>
  <DAType id="Origin"><BDA name="orCat" bType="Enum" type="OrCat"/><BDA name="orIdent" bType="Octet64"/></DAType>
  ${control('BOOLEAN', 'B', false)}${control('BOOLEAN', 'T', true)}
  <EnumType id="CtlModel"><EnumVal ord="0">status-only</EnumVal><EnumVal ord="1">direct-with-normal-security</EnumVal><EnumVal ord="2">sbo-with-normal-security</EnumVal><EnumVal ord="3">direct-with-enhanced-security</EnumVal><EnumVal ord="4">sbo-with-enhanced-security</EnumVal></EnumType>
  <EnumType id="OrCat"><EnumVal ord="0">not-supported</EnumVal><EnumVal ord="3">remote-control</EnumVal></EnumType>
</DataTypeTemplates></SCL>`;

/** @param change of the file, for a device that is not what it says */
export function sampleModel(change: (scd: string) => string = (scd) => scd): IedModel {
  const { scl, findings } = readScl(change(SCD));
  const { models } = checkScl(scl!, findings);
  if (findings.list.length > 0) throw new Error(findings.list.map(({ text }) => text).join('\n'));
  return models.get('BCU1')!;
}
