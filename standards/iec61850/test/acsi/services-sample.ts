/** A protection device: settings in four groups, a log, values that can be substituted, report control blocks with an owner. */
import { checkScl, type IedModel, readScl } from '../../src/index.ts';

export const SERVICES_SCD = `<SCL xmlns="http://www.iec.ch/61850/2003/SCL" version="2007" revision="B" release="4"><Header id="services"/>
<IED name="PROT1"><Services nameLength="64"><ReportSettings owner="true"/></Services><AccessPoint name="AP1"><Server><Authentication/><LDevice inst="LD">
  <LN0 lnClass="LLN0" inst="" lnType="LLN0">
    <DataSet name="Events"><FCDA ldInst="LD" lnClass="GGIO" lnInst="1" doName="Ind1" fc="ST"/><FCDA ldInst="LD" lnClass="MMXU" lnInst="1" doName="TotW" fc="MX"/></DataSet>
    <DataSet name="Settings"><FCDA ldInst="LD" lnClass="PTOC" lnInst="1" doName="StrVal" fc="SG"/></DataSet>
    <ReportControl name="events" rptID="E" datSet="Events" confRev="1" buffered="true" indexed="false"><TrgOps dchg="true" qchg="true" gi="true"/><OptFields/></ReportControl>
    <ReportControl name="settings" rptID="S" datSet="Settings" confRev="1" indexed="false"><TrgOps dchg="true"/><OptFields/></ReportControl>
    <LogControl name="log" datSet="Events" logName="EventLog" intgPd="60000"><TrgOps dchg="true" qchg="true" period="true"/></LogControl>
    <LogControl name="quiet" datSet="Events" logName="EventLog" logEna="false"><TrgOps dchg="true"/></LogControl>
    <SettingControl numOfSGs="4" actSG="2" resvTms="30"/>
    <Log name="EventLog"/>
  </LN0>
  <LN lnClass="PTOC" inst="1" lnType="PTOC"><DOI name="StrVal">
    <SDI name="setMag"><DAI name="f"><Val sGroup="1">100</Val><Val sGroup="2">200</Val><Val>300</Val></DAI></SDI>
    <SDI name="minVal"><DAI name="f"><Val>10</Val></DAI></SDI><SDI name="maxVal"><DAI name="f"><Val>1000</Val></DAI></SDI></DOI></LN>
  <LN lnClass="GGIO" inst="1" lnType="GGIO"/><LN lnClass="MMXU" inst="1" lnType="MMXU"/>
</LDevice></Server></AccessPoint></IED>
<DataTypeTemplates>
  <LNodeType id="LLN0" lnClass="LLN0"><DO name="NamPlt" type="LPL"/></LNodeType>
  <LNodeType id="PTOC" lnClass="PTOC"><DO name="StrVal" type="ASG"/><DO name="OpDlTmms" type="ING"/></LNodeType>
  <LNodeType id="GGIO" lnClass="GGIO"><DO name="Ind1" type="SPS"/><DO name="Ind2" type="SPS"/></LNodeType>
  <LNodeType id="MMXU" lnClass="MMXU"><DO name="TotW" type="MV"/></LNodeType>
  <DOType id="LPL" cdc="LPL"><DA name="vendor" bType="VisString255" fc="DC"><Val>Example</Val></DA></DOType>
  <DOType id="ASG" cdc="ASG"><DA name="setMag" bType="Struct" type="AnalogueValue" fc="SE" dchg="true"/><DA name="minVal" bType="Struct" type="AnalogueValue" fc="CF"/><DA name="maxVal" bType="Struct" type="AnalogueValue" fc="CF"/></DOType>
  <DOType id="ING" cdc="ING"><DA name="setVal" bType="INT32" fc="SE" dchg="true"><Val>50</Val></DA></DOType>
  <DOType id="SPS" cdc="SPS"><DA name="stVal" bType="BOOLEAN" fc="ST" dchg="true"/><DA name="q" bType="Quality" fc="ST" qchg="true"/><DA name="t" bType="Timestamp" fc="ST"/>
    <DA name="subEna" bType="BOOLEAN" fc="SV"/><DA name="subVal" bType="BOOLEAN" fc="SV"/><DA name="subQ" bType="Quality" fc="SV"/><DA name="subID" bType="VisString64" fc="SV"/><DA name="blkEna" bType="BOOLEAN" fc="BL"/></DOType>
  <DOType id="MV" cdc="MV"><DA name="instMag" bType="Struct" type="AnalogueValue" fc="MX"/><DA name="mag" bType="Struct" type="AnalogueValue" fc="MX" dchg="true"/><DA name="q" bType="Quality" fc="MX" qchg="true"/><DA name="t" bType="Timestamp" fc="MX"/>
    <DA name="subEna" bType="BOOLEAN" fc="SV"/><DA name="subMag" bType="Struct" type="AnalogueValue" fc="SV"/><DA name="subQ" bType="Quality" fc="SV"/><DA name="subID" bType="VisString64" fc="SV"/><DA name="db" bType="INT32U" fc="CF"><Val>100</Val></DA></DOType>
  <DAType id="AnalogueValue"><BDA name="f" bType="FLOAT32"/></DAType>
</DataTypeTemplates></SCL>`;

/** @param replaced a part of the file, and what stands there instead */
export function servicesModel(replaced: readonly [string, string] = ['', '']): IedModel {
  const { scl, findings } = readScl(SERVICES_SCD.replace(...replaced));
  const { models } = checkScl(scl!, findings);
  if (findings.list.length > 0) throw new Error(findings.list.map(({ text }) => text).join('\n'));
  return models.get('PROT1')!;
}
