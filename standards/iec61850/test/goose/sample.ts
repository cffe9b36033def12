/** A bay with a breaker, its controller as publisher, and a protection device that listens. */
import { checkScl, type IedModel, readScl, type SclFile } from '../../src/index.ts';

export const SCD = `<SCL xmlns="http://www.iec.ch/61850/2003/SCL" version="2007" revision="B" release="4"><Header id="goose"/>
<Communication><SubNetwork name="W1" type="8-MMS">
  <ConnectedAP iedName="BCU1" apName="AP1">
    <GSE ldInst="CTRL" cbName="Trip"><Address><P type="MAC-Address">01-0C-CD-01-00-01</P><P type="APPID">0001</P><P type="VLAN-ID">00A</P><P type="VLAN-PRIORITY">6</P></Address><MinTime unit="s" multiplier="m">4</MinTime><MaxTime unit="s" multiplier="m">1000</MaxTime></GSE>
    <GSE ldInst="CTRL" cbName="Whole"><Address><P type="MAC-Address">01-0C-CD-01-00-02</P><P type="APPID">3FFF</P></Address></GSE>
    <SMV ldInst="CTRL" cbName="Samples"><Address><P type="MAC-Address">01-0C-CD-04-00-01</P><P type="APPID">4000</P><P type="VLAN-ID">000</P><P type="VLAN-PRIORITY">4</P></Address></SMV>
  </ConnectedAP>
</SubNetwork></Communication>
<IED name="BCU1"><AccessPoint name="AP1"><Server><Authentication/><LDevice inst="CTRL">
  <LN0 lnClass="LLN0" inst="" lnType="LLN0">
    <DataSet name="Positions"><FCDA ldInst="CTRL" prefix="QA1" lnClass="XCBR" lnInst="1" doName="Pos" daName="stVal" fc="ST"/><FCDA ldInst="CTRL" prefix="QA1" lnClass="XCBR" lnInst="1" doName="Pos" daName="q" fc="ST"/></DataSet>
    <DataSet name="Objects"><FCDA ldInst="CTRL" prefix="QA1" lnClass="XCBR" lnInst="1" doName="Pos" fc="ST"/><FCDA ldInst="CTRL" lnClass="MMXU" lnInst="1" doName="TotW" fc="MX"/></DataSet>
    <DataSet name="Samples"><FCDA ldInst="CTRL" prefix="I" lnClass="TCTR" lnInst="1" doName="AmpSv" daName="instMag.i" fc="MX"/><FCDA ldInst="CTRL" prefix="I" lnClass="TCTR" lnInst="1" doName="AmpSv" daName="q" fc="MX"/><FCDA ldInst="CTRL" prefix="U" lnClass="TVTR" lnInst="1" doName="VolSv" daName="instMag.i" fc="MX"/><FCDA ldInst="CTRL" prefix="U" lnClass="TVTR" lnInst="1" doName="VolSv" daName="q" fc="MX"/></DataSet>
    <GSEControl name="Trip" datSet="Positions" appID="BCU1/Trip" confRev="2"><IEDName>PROT1</IEDName></GSEControl>
    <GSEControl name="Whole" datSet="Objects" appID="" confRev="1" fixedOffs="true"/>
    <GSEControl name="Lost" datSet="Nowhere" appID="lost" confRev="1"/>
    <SampledValueControl name="Samples" datSet="Samples" smvID="BCU1_SV" smpRate="4800" smpMod="SmpPerSec" nofASDU="2" confRev="1"><SmvOpts sampleSynchronized="true" sampleRate="true"/></SampledValueControl>
  </LN0>
  <LN prefix="QA1" lnClass="XCBR" inst="1" lnType="XCBR"/><LN lnClass="MMXU" inst="1" lnType="MMXU"/>
  <LN prefix="I" lnClass="TCTR" inst="1" lnType="TCTR"/><LN prefix="U" lnClass="TVTR" inst="1" lnType="TVTR"/>
</LDevice></Server></AccessPoint></IED>
<IED name="PROT1"><AccessPoint name="AP1"><Server><Authentication/><LDevice inst="PROT">
  <LN0 lnClass="LLN0" inst="" lnType="LLN0"><Inputs>
    <ExtRef iedName="BCU1" ldInst="CTRL" prefix="QA1" lnClass="XCBR" lnInst="1" doName="Pos" daName="stVal" intAddr="breaker" serviceType="GOOSE" srcLDInst="CTRL" srcLNClass="LLN0" srcCBName="Trip"/>
    <ExtRef iedName="BCU1" ldInst="CTRL" prefix="QA1" lnClass="XCBR" lnInst="1" doName="Pos" daName="q"/>
    <ExtRef iedName="BCU1" ldInst="CTRL" prefix="QA1" lnClass="XCBR" lnInst="1" doName="Pos" daName="t" serviceType="GOOSE" srcCBName="Trip"/>
    <ExtRef iedName="BCU1" ldInst="CTRL" prefix="I" lnClass="TCTR" lnInst="1" doName="AmpSv" daName="instMag.i" serviceType="SMV" srcCBName="Samples"/>
    <ExtRef iedName="BCU1" ldInst="CTRL" lnClass="MMXU" lnInst="1" doName="TotW" daName="mag.f" serviceType="Report"/>
    <ExtRef intAddr="later"/>
  </Inputs></LN0>
</LDevice></Server></AccessPoint></IED>
<DataTypeTemplates>
  <LNodeType id="LLN0" lnClass="LLN0"><DO name="NamPlt" type="LPL"/></LNodeType>
  <LNodeType id="XCBR" lnClass="XCBR"><DO name="Pos" type="DPC"/></LNodeType>
  <LNodeType id="MMXU" lnClass="MMXU"><DO name="TotW" type="MV"/></LNodeType>
  <LNodeType id="TCTR" lnClass="TCTR"><DO name="AmpSv" type="SAV"/></LNodeType>
  <LNodeType id="TVTR" lnClass="TVTR"><DO name="VolSv" type="SAVU"/></LNodeType>
  <DOType id="LPL" cdc="LPL"><DA name="vendor" bType="VisString255" fc="DC"/></DOType>
  <DOType id="DPC" cdc="DPC"><DA name="stVal" bType="Dbpos" fc="ST" dchg="true"/><DA name="q" bType="Quality" fc="ST" qchg="true"/><DA name="t" bType="Timestamp" fc="ST"/></DOType>
  <DOType id="MV" cdc="MV"><DA name="mag" bType="Struct" type="AnalogueValue" fc="MX" dchg="true"/><DA name="q" bType="Quality" fc="MX" qchg="true"/><DA name="t" bType="Timestamp" fc="MX"/></DOType>
  <DOType id="SAV" cdc="SAV"><DA name="instMag" bType="Struct" type="Whole" fc="MX"/><DA name="q" bType="Quality" fc="MX" qchg="true"/><DA name="sVC" bType="Struct" type="ScaleA" fc="CF"/></DOType>
  <DOType id="SAVU" cdc="SAV"><DA name="instMag" bType="Struct" type="Whole" fc="MX"/><DA name="q" bType="Quality" fc="MX" qchg="true"/><DA name="sVC" bType="Struct" type="ScaleV" fc="CF"/></DOType>
  <DAType id="AnalogueValue"><BDA name="f" bType="FLOAT32"/></DAType>
  <DAType id="Whole"><BDA name="i" bType="INT32"/></DAType>
  <DAType id="ScaleA"><BDA name="scaleFactor" bType="FLOAT32"><Val>0.001</Val></BDA><BDA name="offset" bType="FLOAT32"><Val>0</Val></BDA></DAType>
  <DAType id="ScaleV"><BDA name="scaleFactor" bType="FLOAT32"><Val>0.01</Val></BDA><BDA name="offset" bType="FLOAT32"><Val>0</Val></BDA></DAType>
</DataTypeTemplates></SCL>`;

export function sample(text: string = SCD): {
  readonly scl: NonNullable<SclFile['scl']>;
  readonly models: ReadonlyMap<string, IedModel>;
} {
  const { scl, findings } = readScl(text);
  if (!scl) throw new Error(findings.list.map(({ text }) => text).join('\n'));
  return { scl, models: checkScl(scl).models };
}
