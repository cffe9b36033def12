/**
 * What CGMES 2.4.15 (IEC TS 61970-600:2017, CIM16) has and 3.0 no longer, in the form of cgmes-3.0.ts. Written by hand
 * and not complete: its vocabulary is not among those published under a licence this package can take over. What it
 * lacks is reported as unknown (a warning) and kept in the store all the same.
 */
export const CGMES_2_4_15 = `e LimitTypeKind patl patlt tatl tc tct highVoltage lowVoltage
e TransformerControlMode volt reactive
c ConnectivityNode
 boundaryPoint Boolean B -
 fromEndIsoCode String B -
 fromEndName String B -
 fromEndNameTso String B -
 toEndIsoCode String B -
 toEndName String B -
 toEndNameTso String B -
c TopologicalNode
 boundaryPoint Boolean B -
 fromEndIsoCode String B -
 fromEndName String B -
 fromEndNameTso String B -
 toEndIsoCode String B -
 toEndName String B -
 toEndNameTso String B -
c GeneratingUnit
 initialP ActivePower E -
c OperationalLimitType
 limitType :LimitTypeKind E -
c RatioTapChanger
 tculControlMode :TransformerControlMode E -`;
