/** A small substation in SCL: one bay with a breaker and its controller, a subscriber, and a 104 address. */
export const SAMPLE = `<?xml version="1.0" encoding="UTF-8"?>
<SCL xmlns="http://www.iec.ch/61850/2003/SCL" xmlns:eTr_104="http://www.iec.ch/61850-80-1/2007/IEC_60870-5-104" xmlns:x="urn:example" version="2007" revision="B" release="4">
  <Header id="sample" version="1" revision="A"/>
  <Substation name="AA1">
    <VoltageLevel name="E1"><Voltage multiplier="k" unit="V">20</Voltage>
      <Bay name="Q1" x:col="3">
        <ConductingEquipment name="QA1" type="CBR">
          <LNode iedName="BCU1" ldInst="CTRL" lnClass="XCBR" lnInst="1" prefix="QA1"/>
          <Terminal name="T1" connectivityNode="AA1/E1/Q1/N1" substationName="AA1" voltageLevelName="E1" bayName="Q1" cNodeName="N1"/>
          <Terminal name="T2" connectivityNode="AA1/E1/Q1/grounded" cNodeName="grounded"/>
          <x:Ornament/>
        </ConductingEquipment>
        <ConnectivityNode name="N1" pathName="AA1/E1/Q1/N1"/>
        <LNode lnClass="MMXU" lnInst="1"/>
      </Bay>
    </VoltageLevel>
  </Substation>
  <Communication>
    <SubNetwork name="W1" type="8-MMS">
      <ConnectedAP iedName="BCU1" apName="AP1">
        <Address><P type="IP">10.0.0.1</P><P type="OSI-TSEL">0001</P></Address>
        <GSE ldInst="CTRL" cbName="Trip"><Address><P type="MAC-Address">01-0C-CD-01-00-01</P><P type="APPID">0001</P></Address></GSE>
      </ConnectedAP>
      <ConnectedAP iedName="BCU2" apName="AP1"><Address><P type="IP">10.0.0.2</P></Address></ConnectedAP>
    </SubNetwork>
  </Communication>
  <IED name="BCU1" manufacturer="Example">
    <Services nameLength="64"><DynAssociation max="8"/><ConfDataSet max="16" maxAttributes="64"/></Services>
    <AccessPoint name="AP1"><Server><Authentication none="true"/>
      <LDevice inst="CTRL">
        <LN0 lnClass="LLN0" inst="" lnType="LLN0">
          <DataSet name="Positions">
            <FCDA ldInst="CTRL" prefix="QA1" lnClass="XCBR" lnInst="1" doName="Pos" fc="ST"/>
            <FCDA ldInst="CTRL" prefix="QA1" lnClass="XCBR" lnInst="1" doName="Pos" daName="q" fc="ST"/>
          </DataSet>
          <ReportControl name="brcb" rptID="r1" datSet="Positions" confRev="3" buffered="true" intgPd="1000">
            <TrgOps dchg="true" qchg="true" period="true"/><OptFields seqNum="true" entryID="true"/>
            <RptEnabled max="2"><ClientLN iedName="BCU2" ldInst="CTRL" lnClass="LLN0" lnInst=""/></RptEnabled>
          </ReportControl>
          <GSEControl name="Trip" datSet="Positions" appID="BCU1/Trip" confRev="2"><IEDName>BCU2</IEDName></GSEControl>
          <SettingControl numOfSGs="2"/>
        </LN0>
        <LN prefix="QA1" lnClass="XCBR" inst="1" lnType="XCBR">
          <DOI name="Pos">
            <SDI name="origin"><DAI name="orCat"><Val>remote-control</Val></DAI></SDI>
            <DAI name="ctlModel"><Val>sbo-with-enhanced-security</Val></DAI>
            <DAI name="stVal"><Private type="IEC_60870_5_104"><eTr_104:Address casdu="1" ioa="7" ti="31" inverted="false"/></Private></DAI>
          </DOI>
          <Private type="Maker"><x:Anything><x:Deeper/></x:Anything></Private>
        </LN>
      </LDevice>
    </Server></AccessPoint>
  </IED>
  <IED name="BCU2">
    <AccessPoint name="AP1"><Server><Authentication/>
      <LDevice inst="CTRL" ldName="OWN">
        <LN0 lnClass="LLN0" inst="" lnType="LLN0">
          <Inputs><ExtRef iedName="BCU1" ldInst="CTRL" prefix="QA1" lnClass="XCBR" lnInst="1" doName="Pos" daName="q" serviceType="GOOSE" srcCBName="Trip"/></Inputs>
        </LN0>
      </LDevice>
    </Server></AccessPoint>
  </IED>
  <DataTypeTemplates>
    <LNodeType id="LLN0" lnClass="LLN0"><DO name="Beh" type="ENS"/></LNodeType>
    <LNodeType id="XCBR" lnClass="XCBR"><DO name="Pos" type="DPC"/><DO name="OpCnt" type="INS"/></LNodeType>
    <DOType id="DPC" cdc="DPC">
      <DA name="origin" bType="Struct" type="Originator" fc="ST"/>
      <DA name="stVal" bType="Dbpos" fc="ST" dchg="true"/>
      <DA name="q" bType="Quality" fc="ST" qchg="true"/>
      <DA name="t" bType="Timestamp" fc="ST"/>
      <DA name="ctlModel" bType="Enum" type="CtlModel" fc="CF"><Val>status-only</Val></DA>
    </DOType>
    <DOType id="ENS" cdc="ENS"><DA name="stVal" bType="Enum" type="Beh" fc="ST"/></DOType>
    <DOType id="INS" cdc="INS"><DA name="stVal" bType="INT32" fc="ST"><Val>0</Val></DA></DOType>
    <DAType id="Originator"><BDA name="orCat" bType="Enum" type="OrCat"/><BDA name="orIdent" bType="Octet64"/></DAType>
    <EnumType id="CtlModel"><EnumVal ord="0">status-only</EnumVal><EnumVal ord="4">sbo-with-enhanced-security</EnumVal></EnumType>
    <EnumType id="OrCat"><EnumVal ord="3">remote-control</EnumVal></EnumType>
    <EnumType id="Beh"><EnumVal ord="1">on</EnumVal></EnumType>
  </DataTypeTemplates>
</SCL>`;

/** The sample with one place changed. Throws when the place is not there, so that a test cannot pass by accident. */
export function changed(from: string | RegExp, to: string): string {
  const text = SAMPLE.replace(from, to);
  if (text === SAMPLE) throw new Error(`the sample has no ${from}`);
  return text;
}
