/**
 * Classes, properties and types of CGMES 3.0 (IEC 61970-600-2), written by tools/generate-schema.ts from the vocabularies
 * ENTSO-E publishes under the Apache License 2.0 (see NOTICE). Do not edit.
 *
 *   d datatype primitive multiplier unit
 *   e enumeration values… (E for one of the European extension)
 *   c class parent profiles concrete-in marks (u European, k compound)
 *    property type profiles required-in many-in marks; a type is a datatype, :enumeration, >class or *compound
 */
export const CGMES_3_0 = `d ActivePower Float M W
d ActivePowerPerCurrentFlow Float M WPerA
d ActivePowerPerFrequency Float M WPers
d AngleDegrees Float none deg
d AngleRadians Float none rad
d ApparentPower Float M VA
d Capacitance Float none F
d Conductance Float none S
d CurrentFlow Float none A
d Frequency Float none Hz
d Inductance Float none H
d Length Float k m
d Money Decimal none
d PU Float none none
d PerCent Float none none
d Reactance Float none ohm
d ReactivePower Float M VAr
d RealEnergy Float M Wh
d Resistance Float none ohm
d RotationSpeed Float none Hz
d Seconds Float none s
d Susceptance Float none S
d Temperature Float none degC
d Voltage Float k V
d VoltagePerReactivePower Float none VPerVAr
e AsynchronousMachineKind generator motor
e BatteryStateKind discharging full waiting charging empty
e ControlAreaTypeKind AGC Forecast Interchange
e CsOperatingModeKind inverter rectifier
e CsPpccControlKind activePower dcVoltage dcCurrent
e Currency AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYR BZD CAD CDF CHF CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EEK EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LTL LVL LYD MAD MDL MGA MKD MMK MNT MOP MRO MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLL SOS SRD STD SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VEF VND VUV WST XAF XCD XOF XPF YER ZAR ZMK ZWL
e CurveStyle constantYValue straightLineYValues
e DCConverterOperatingModeKind bipolar monopolarMetallicReturn monopolarGroundReturn
e DCPolarityKind positive middle negative
e FuelType coal oil gas lignite hardCoal oilShale brownCoalLignite coalDerivedGas peat other
e GeneratorControlSource unavailable offAGC onAGC plantControl
e HydroEnergyConversionKind generator pumpAndGenerator
e HydroPlantStorageKind runOfRiver pumpedStorage storage
e HydroTurbineKind francis pelton kaplan
E LimitKind patl patlt tatl tc tct highVoltage lowVoltage operationalVoltageLimit alarmVoltage warningVoltage stability
e OperationalLimitDirectionKind high low absoluteValue
e OrientationKind positive negative
e PetersenCoilModeKind fixed manual automaticPositioning
e PhaseCode ABCN ABC ABN ACN BCN AB AC BC AN BN CN A B C N s1N s2N s12N s1 s2 s12 none X XY XN XYN
e RegulatingControlModeKind voltage activePower reactivePower currentFlow admittance timeScheduled temperature powerFactor
e SVCControlMode reactivePower voltage
e ShortCircuitRotorKind salientPole1 salientPole2 turboSeries1 turboSeries2
e Source PROCESS DEFAULTED SUBSTITUTED
e SynchronousMachineKind generator condenser generatorOrCondenser motor generatorOrMotor motorOrCondenser generatorOrCondenserOrMotor
e SynchronousMachineOperatingMode generator condenser motor
e UnitMultiplier y z a f p n micro m c d none da h k M G T P E Z Y
e UnitSymbol none m kg s A K mol cd deg rad sr Gy Bq degC Sv F C S H V ohm J N Hz lx lm Wb T W Pa m2 m3 mPers mPers2 m3Pers mPerm3 kgm kgPerm3 m2Pers WPermK JPerK ppm rotPers radPers WPerm2 JPerm2 SPerm KPers PaPers JPerkgK VA VAr cosPhi Vs V2 As A2 A2s VAh Wh VArh VPerHz HzPers character charPers kgm2 dB WPers lPers dBm h min Q Qh ohmm APerm V2h A2h Ah count ft3 m3Perh gal Btu l lPerh lPerl gPerg molPerm3 molPermol molPerkg sPers HzPerHz VPerV APerA VPerVA rev kat JPerkg m3Uncompensated m3Compensated WPerW therm onePerm m3Perkg Pas Nm NPerm radPers2 JPerm3 VPerm CPerm3 CPerm2 FPerm HPerm JPermol JPermolK CPerkg GyPers WPersr WPerm2sr katPerm3 d anglemin anglesec ha tonne bar mmHg M kn Mx G Oe Vh WPerA onePerHz VPerVAr ohmPerm kgPerJ JPers
e Validity GOOD QUESTIONABLE INVALID
e VsPpccControlKind pPcc udc pPccAndUdcDroop pPccAndUdcDroopWithCompensation pPccAndUdcDroopPilot phasePcc
e VsQpccControlKind reactivePcc voltagePcc powerFactorPcc pulseWidthModulation
e WindGenUnitKind offshore onshore
e WindingConnection D Y Z Yn Zn A I
c ACDCConverter ConductingEquipment EHV -
 PccTerminal >Terminal E -
 baseS ApparentPower E -
 idc CurrentFlow V V
 idleLoss ActivePower E -
 maxP ActivePower E -
 maxUdc Voltage E -
 minP ActivePower E -
 minUdc Voltage E -
 numberOfValves Integer E -
 p ActivePower H H
 poleLossP ActivePower V V
 q ReactivePower H H
 ratedUdc Voltage E -
 resistiveLoss Resistance E -
 switchingLoss ActivePowerPerCurrentFlow E -
 targetPpcc ActivePower H -
 targetUdc Voltage H -
 uc Voltage V V
 udc Voltage V V
 valveU0 Voltage E -
c ACDCConverterDCTerminal DCBaseTerminal EHT EHT
 DCConductingEquipment >ACDCConverter E E
 polarity :DCPolarityKind E E
c ACDCTerminal IdentifiedObject EBHTVOS -
 BusNameMarker >BusNameMarker E -
 connected Boolean H H
 sequenceNumber Integer E E
c ACLineSegment Conductor ES ES
 b0ch Susceptance S S
 bch Susceptance E E
 g0ch Conductance S S
 gch Conductance E -
 r Resistance E E
 r0 Resistance S S
 shortCircuitEndTemperature Temperature S S
 x Reactance E E
 x0 Reactance S S
c Accumulator Measurement O O
c AccumulatorLimit Limit O O
 LimitSet >AccumulatorLimitSet O O
 value Integer O O
c AccumulatorLimitSet LimitSet O O
 Measurements >Accumulator O O O
c AccumulatorReset Control O O
 AccumulatorValue >AccumulatorValue O O
c AccumulatorValue MeasurementValue O O
 Accumulator >Accumulator O O
c ActivePowerLimit OperationalLimit EH EH
 normalValue ActivePower E E
 value ActivePower H H
c Analog Measurement O O
 positiveFlowIn Boolean O -
c AnalogControl Control O -
 AnalogValue >AnalogValue O O
 maxValue Float O O
 minValue Float O O
c AnalogLimit Limit O O
 LimitSet >AnalogLimitSet O O
 value Float O O
c AnalogLimitSet LimitSet O O
 Measurements >Analog O O O
c AnalogValue MeasurementValue O O
 Analog >Analog O O
c ApparentPowerLimit OperationalLimit EH EH
 normalValue ApparentPower E E
 value ApparentPower H H
c AsynchronousMachine RotatingMachine EHS EHS
 asynchronousMachineType :AsynchronousMachineKind H H
 converterFedDrive Boolean S S
 efficiency PerCent S S
 iaIrRatio Float S S
 nominalFrequency Frequency E -
 nominalSpeed RotationSpeed E -
 polePairNumber Integer S S
 ratedMechanicalPower ActivePower S S
 reversible Boolean S S
 rxLockedRotorRatio Float S -
c AuxiliaryEquipment Equipment E -
 Terminal >Terminal E E
c BaseVoltage IdentifiedObject EBT EB
 nominalVoltage Voltage EB EB
c BasicIntervalSchedule IdentifiedObject E -
 startTime DateTime E E
 value1Unit :UnitSymbol E E
 value2Unit :UnitSymbol E -
c BatteryUnit PowerElectronicsUnit EH EH
 batteryState :BatteryStateKind H H
 ratedE RealEnergy E E
 storedE RealEnergy H H
c Bay EquipmentContainer EB EB
 VoltageLevel >VoltageLevel EB EB
c BoundaryPoint PowerSystemResource EB EB u
 ConnectivityNode >ConnectivityNode EB EB - u
 fromEndIsoCode String EB EB - u
 fromEndName String EB EB - u
 fromEndNameTso String EB EB - u
 isDirectCurrent Boolean EB - - u
 isExcludedFromAreaInterchange Boolean EB - - u
 toEndIsoCode String EB EB - u
 toEndName String EB EB - u
 toEndNameTso String EB EB - u
c Breaker ProtectedSwitch EH EH
c BusNameMarker IdentifiedObject E E
 ReportingGroup >ReportingGroup E -
 priority Integer E -
c BusbarSection Connector ES ES
 ipMax CurrentFlow S -
c CAESPlant PowerSystemResource E E
c Clamp ConductingEquipment E E
 ACLineSegment >ACLineSegment E E
 lengthFromTerminal1 Length E -
c CogenerationPlant PowerSystemResource E E
c CombinedCyclePlant PowerSystemResource E E
c Command Control O O
 DiscreteValue >DiscreteValue O O
 ValueAliasSet >ValueAliasSet O -
 normalValue Integer O O
 value Integer O O
c ConductingEquipment Equipment EBHVS -
 BaseVoltage >BaseVoltage E -
c Conductor ConductingEquipment ES -
 length Length E -
c ConformLoad EnergyConsumer EH EH
 LoadGroup >ConformLoadGroup E E
c ConformLoadGroup LoadGroup E E
c ConformLoadSchedule SeasonDayTypeSchedule E E
 ConformLoadGroup >ConformLoadGroup E E
c ConnectivityNode IdentifiedObject EBT EBT
 ConnectivityNodeContainer >ConnectivityNodeContainer EB EB
 TopologicalNode >TopologicalNode T T
c ConnectivityNodeContainer PowerSystemResource EBT -
c Connector ConductingEquipment EBS -
c Control IOPoint O -
 PowerSystemResource >PowerSystemResource O -
 controlType String O O
 operationInProgress Boolean O -
 timeStamp DateTime O -
 unitMultiplier :UnitMultiplier O -
 unitSymbol :UnitSymbol O -
c ControlArea PowerSystemResource EH EH
 EnergyArea >EnergyArea E E
 netInterchange ActivePower H H
 pTolerance ActivePower H -
 type :ControlAreaTypeKind E E
c ControlAreaGeneratingUnit IdentifiedObject E E
 ControlArea >ControlArea E E
 GeneratingUnit >GeneratingUnit E E
c CoordinateSystem IdentifiedObject G G
 crsUrn String G G
c CsConverter ACDCConverter EHV EHV
 alpha AngleDegrees V V
 gamma AngleDegrees V V
 maxAlpha AngleDegrees E -
 maxGamma AngleDegrees E -
 maxIdc CurrentFlow E -
 minAlpha AngleDegrees E -
 minGamma AngleDegrees E -
 minIdc CurrentFlow E -
 operatingMode :CsOperatingModeKind H H
 pPccControl :CsPpccControlKind H H
 ratedIdc CurrentFlow E -
 targetAlpha AngleDegrees H -
 targetGamma AngleDegrees H -
 targetIdc CurrentFlow H -
c CurrentLimit OperationalLimit EH EH
 normalValue CurrentFlow E E
 value CurrentFlow H H
c CurrentTransformer Sensor E E
c Curve IdentifiedObject E -
 curveStyle :CurveStyle E E
 xUnit :UnitSymbol E E
 y1Unit :UnitSymbol E E
 y2Unit :UnitSymbol E -
c CurveData - E E
 Curve >Curve E E
 xvalue Float E E
 y1value Float E E
 y2value Float E -
c Cut Switch E E
 ACLineSegment >ACLineSegment E E
 lengthFromTerminal1 Length E -
c DCBaseTerminal ACDCTerminal EHT -
 DCNode >DCNode E -
 DCTopologicalNode >DCTopologicalNode T T
c DCBreaker DCSwitch E E
c DCBusbar DCConductingEquipment E E
c DCChopper DCConductingEquipment E E
c DCConductingEquipment Equipment E -
 ratedUdc Voltage E E
c DCConverterUnit DCEquipmentContainer E E
 Substation >Substation E -
 operationMode :DCConverterOperatingModeKind E E
c DCDisconnector DCSwitch E E
c DCEquipmentContainer EquipmentContainer ET -
c DCGround DCConductingEquipment E E
 inductance Inductance E -
 r Resistance E -
c DCLine DCEquipmentContainer E E
 Region >SubGeographicalRegion E -
c DCLineSegment DCConductingEquipment E E
 capacitance Capacitance E E
 inductance Inductance E E
 length Length E -
 resistance Resistance E E
c DCNode IdentifiedObject ET ET
 DCEquipmentContainer >DCEquipmentContainer E E
 DCTopologicalNode >DCTopologicalNode T T
c DCSeriesDevice DCConductingEquipment E E
 inductance Inductance E E
 resistance Resistance E E
c DCShunt DCConductingEquipment E E
 capacitance Capacitance E E
 resistance Resistance E E
c DCSwitch DCConductingEquipment E E
c DCTerminal DCBaseTerminal EHT EHT
 DCConductingEquipment >DCConductingEquipment E E
c DCTopologicalIsland IdentifiedObject V V
 DCTopologicalNodes >DCTopologicalNode V V V
c DCTopologicalNode IdentifiedObject TV T
 DCEquipmentContainer >DCEquipmentContainer T T
c DayType IdentifiedObject E E
c Diagram IdentifiedObject D D
 DiagramStyle >DiagramStyle D -
 orientation :OrientationKind D D
 x1InitialView Float D -
 x2InitialView Float D -
 y1InitialView Float D -
 y2InitialView Float D -
c DiagramObject IdentifiedObject D D
 Diagram >Diagram D D
 DiagramObjectStyle >DiagramObjectStyle D -
 IdentifiedObject >IdentifiedObject D -
 drawingOrder Integer D -
 isPolygon Boolean D -
 offsetX Float D -
 offsetY Float D -
 rotation AngleDegrees D -
c DiagramObjectGluePoint - D D
c DiagramObjectPoint - D D
 DiagramObject >DiagramObject D D
 DiagramObjectGluePoint >DiagramObjectGluePoint D -
 sequenceNumber Integer D -
 xPosition Float D D
 yPosition Float D D
 zPosition Float D -
c DiagramObjectStyle IdentifiedObject D D
c DiagramStyle IdentifiedObject D D
c DisconnectingCircuitBreaker Breaker EH EH
c Disconnector Switch EH EH
c Discrete Measurement O O
 ValueAliasSet >ValueAliasSet O -
c DiscreteValue MeasurementValue O O
 Discrete >Discrete O O
c EarthFaultCompensator ConductingEquipment ES -
 r Resistance S -
c EnergyArea IdentifiedObject E -
c EnergyConnection ConductingEquipment EHS -
c EnergyConsumer EnergyConnection EH EH
 LoadResponse >LoadResponseCharacteristic E -
 p ActivePower H H
 pfixed ActivePower E -
 pfixedPct PerCent E -
 q ReactivePower H H
 qfixed ReactivePower E -
 qfixedPct PerCent E -
c EnergySchedulingType IdentifiedObject EB EB
c EnergySource EnergyConnection EHS EHS
 EnergySchedulingType >EnergySchedulingType E -
 activePower ActivePower H H
 nominalVoltage Voltage E -
 pMax ActivePower E -
 pMin ActivePower E -
 r Resistance S -
 r0 Resistance S -
 reactivePower ReactivePower H H
 rn Resistance S -
 voltageAngle AngleRadians H -
 voltageMagnitude Voltage H -
 x Reactance S -
 x0 Reactance S -
 xn Reactance S -
c Equipment PowerSystemResource EBHS H
 EquipmentContainer >EquipmentContainer EB -
 aggregate Boolean E -
 inService Boolean H H
 normallyInService Boolean E -
c EquipmentContainer ConnectivityNodeContainer EB -
c EquivalentBranch EquivalentEquipment ES ES
 negativeR12 Resistance S S
 negativeR21 Resistance S S
 negativeX12 Reactance S S
 negativeX21 Reactance S S
 positiveR12 Resistance S S
 positiveR21 Resistance S S
 positiveX12 Reactance S S
 positiveX21 Reactance S S
 r Resistance E E
 r21 Resistance E -
 x Reactance E E
 x21 Reactance E -
 zeroR12 Resistance S S
 zeroR21 Resistance S S
 zeroX12 Reactance S S
 zeroX21 Reactance S S
c EquivalentEquipment ConductingEquipment EHS -
 EquivalentNetwork >EquivalentNetwork E -
c EquivalentInjection EquivalentEquipment EHS EHS
 ReactiveCapabilityCurve >ReactiveCapabilityCurve E -
 maxP ActivePower E -
 maxQ ReactivePower E -
 minP ActivePower E -
 minQ ReactivePower E -
 p ActivePower H H
 q ReactivePower H H
 r Resistance S S
 r0 Resistance S S
 r2 Resistance S S
 regulationCapability Boolean E E
 regulationStatus Boolean H -
 regulationTarget Voltage H -
 x Reactance S S
 x0 Reactance S S
 x2 Reactance S S
c EquivalentNetwork ConnectivityNodeContainer E E
c EquivalentShunt EquivalentEquipment E E
 b Susceptance E E
 g Conductance E E
c ExternalNetworkInjection RegulatingCondEq EHS EHS
 governorSCD ActivePowerPerFrequency E E
 ikSecond Boolean S -
 maxInitialSymShCCurrent CurrentFlow S S
 maxP ActivePower E E
 maxQ ReactivePower E E
 maxR0ToX0Ratio Float S S
 maxR1ToX1Ratio Float S S
 maxZ0ToZ1Ratio Float S S
 minInitialSymShCCurrent CurrentFlow S S
 minP ActivePower E E
 minQ ReactivePower E E
 minR0ToX0Ratio Float S S
 minR1ToX1Ratio Float S S
 minZ0ToZ1Ratio Float S S
 p ActivePower H H
 q ReactivePower H H
 referencePriority Integer H H
 voltageFactor PU S -
c FaultIndicator AuxiliaryEquipment E E
c FossilFuel IdentifiedObject E E
 ThermalGeneratingUnit >ThermalGeneratingUnit E E
 fossilFuelType :FuelType E E
c Fuse Switch EH EH
c GeneratingUnit Equipment EH EH
 genControlSource :GeneratorControlSource E -
 governorSCD PerCent E -
 longPF Float E -
 maxOperatingP ActivePower E E
 maximumAllowableSpinningReserve ActivePower E -
 minOperatingP ActivePower E E
 nominalP ActivePower E -
 normalPF Float H H
 ratedGrossMaxP ActivePower E -
 ratedGrossMinP ActivePower E -
 ratedNetMaxP ActivePower E -
 shortPF Float E -
 startupCost Money E -
 startupTime Seconds E -
 totalEfficiency PerCent E -
 variableCost Money E -
c GeographicalRegion IdentifiedObject EB EB
c GrossToNetActivePowerCurve Curve E E
 GeneratingUnit >GeneratingUnit E E
c Ground ConductingEquipment E E
c GroundDisconnector Switch EH EH
c GroundingImpedance EarthFaultCompensator ES ES
 x Reactance S S
c HydroGeneratingUnit GeneratingUnit EH EH
 HydroPowerPlant >HydroPowerPlant E -
 dropHeight Length E -
 energyConversionCapability :HydroEnergyConversionKind E -
 turbineType :HydroTurbineKind E -
c HydroPowerPlant PowerSystemResource E E
 hydroPlantStorageType :HydroPlantStorageKind E E
c HydroPump Equipment E E
 HydroPowerPlant >HydroPowerPlant E -
 RotatingMachine >RotatingMachine E E
c IOPoint IdentifiedObject O -
c IdentifiedObject - EBHTVOSDG -
 description String EBTOD -
 energyIdentCodeEic String EBT - - u
 mRID String EBHTVOSDG EBHTVOSDG
 name String EBTVODG EBVOD
 shortName String EBT - - u
c Jumper Switch EH EH
c Junction Connector EB EB
c Limit IdentifiedObject O -
c LimitSet IdentifiedObject O -
 isPercentageLimits Boolean O -
c Line EquipmentContainer EB EB
 Region >SubGeographicalRegion EB -
c LinearShuntCompensator ShuntCompensator EHS EHS
 b0PerSection Susceptance S S
 bPerSection Susceptance E E
 g0PerSection Conductance S S
 gPerSection Conductance E E
c LoadArea EnergyArea E E
c LoadBreakSwitch ProtectedSwitch EH EH
c LoadGroup IdentifiedObject E -
 SubLoadArea >SubLoadArea E E
c LoadResponseCharacteristic IdentifiedObject E E
 exponentModel Boolean E E
 pConstantCurrent Float E -
 pConstantImpedance Float E -
 pConstantPower Float E -
 pFrequencyExponent Float E -
 pVoltageExponent Float E -
 qConstantCurrent Float E -
 qConstantImpedance Float E -
 qConstantPower Float E -
 qFrequencyExponent Float E -
 qVoltageExponent Float E -
c Location IdentifiedObject G G
 CoordinateSystem >CoordinateSystem G G
 PowerSystemResources >PowerSystemResource G G
 mainAddress *StreetAddress G -
c Measurement IdentifiedObject O -
 PowerSystemResource >PowerSystemResource O O
 Terminal >ACDCTerminal O -
 measurementType String O O
 phases :PhaseCode O -
 unitMultiplier :UnitMultiplier O O
 unitSymbol :UnitSymbol O O
c MeasurementValue IOPoint O -
 MeasurementValueSource >MeasurementValueSource O O
 sensorAccuracy PerCent O -
 timeStamp DateTime O -
c MeasurementValueQuality Quality61850 O O
 MeasurementValue >MeasurementValue O O
c MeasurementValueSource IdentifiedObject O O
c MutualCoupling IdentifiedObject S S
 First_Terminal >Terminal S S
 Second_Terminal >Terminal S S
 b0ch Susceptance S S
 distance11 Length S S
 distance12 Length S S
 distance21 Length S S
 distance22 Length S S
 g0ch Conductance S S
 r0 Resistance S S
 x0 Reactance S S
c NonConformLoad EnergyConsumer EH EH
 LoadGroup >NonConformLoadGroup E E
c NonConformLoadGroup LoadGroup E E
c NonConformLoadSchedule SeasonDayTypeSchedule E E
 NonConformLoadGroup >NonConformLoadGroup E E
c NonlinearShuntCompensator ShuntCompensator EH EH
c NonlinearShuntCompensatorPoint - ES ES
 NonlinearShuntCompensator >NonlinearShuntCompensator E E
 b Susceptance E E
 b0 Susceptance S S
 g Conductance E E
 g0 Conductance S S
 sectionNumber Integer E E
c NuclearGeneratingUnit GeneratingUnit EH EH
c OperationalLimit IdentifiedObject EH -
 OperationalLimitSet >OperationalLimitSet E E
 OperationalLimitType >OperationalLimitType E E
c OperationalLimitSet IdentifiedObject E E
 Equipment >Equipment E -
 Terminal >ACDCTerminal E E
c OperationalLimitType IdentifiedObject E E
 acceptableDuration Seconds E -
 direction :OperationalLimitDirectionKind E E
 isInfiniteDuration Boolean E E
 kind :LimitKind E E - u
c PetersenCoil EarthFaultCompensator ES ES
 mode :PetersenCoilModeKind S S
 nominalU Voltage S S
 offsetCurrent CurrentFlow S -
 positionCurrent CurrentFlow S -
 xGroundMax Reactance S S
 xGroundMin Reactance S S
 xGroundNominal Reactance S S
c PhaseTapChanger TapChanger EH -
 TransformerEnd >TransformerEnd E E
c PhaseTapChangerAsymmetrical PhaseTapChangerNonLinear EH EH
 windingConnectionAngle AngleDegrees E E
c PhaseTapChangerLinear PhaseTapChanger EH EH
 stepPhaseShiftIncrement AngleDegrees E E
 xMax Reactance E E
 xMin Reactance E E
c PhaseTapChangerNonLinear PhaseTapChanger EH -
 voltageStepIncrement PerCent E E
 xMax Reactance E E
 xMin Reactance E E
c PhaseTapChangerSymmetrical PhaseTapChangerNonLinear EH EH
c PhaseTapChangerTable IdentifiedObject E E
c PhaseTapChangerTablePoint TapChangerTablePoint E E
 PhaseTapChangerTable >PhaseTapChangerTable E E
 angle AngleDegrees E E
c PhaseTapChangerTabular PhaseTapChanger EH EH
 PhaseTapChangerTable >PhaseTapChangerTable E E
c PhotoVoltaicUnit PowerElectronicsUnit E E
c PositionPoint - G G
 Location >Location G G
 sequenceNumber Integer G -
 xPosition String G G
 yPosition String G G
 zPosition String G -
c PostLineSensor Sensor E E
c PotentialTransformer Sensor E E
c PowerElectronicsConnection RegulatingCondEq EH EH
 PowerElectronicsUnit >PowerElectronicsUnit E -
 maxQ ReactivePower E -
 minQ ReactivePower E -
 p ActivePower H H
 q ReactivePower H H
 ratedS ApparentPower E -
 ratedU Voltage E -
c PowerElectronicsUnit Equipment EH -
 maxP ActivePower E -
 minP ActivePower E -
c PowerElectronicsWindUnit PowerElectronicsUnit E E
c PowerSystemResource IdentifiedObject EBHOSG -
c PowerTransformer ConductingEquipment ES ES
 beforeShCircuitHighestOperatingCurrent CurrentFlow S -
 beforeShCircuitHighestOperatingVoltage Voltage S -
 beforeShortCircuitAnglePf AngleDegrees S -
 highSideMinOperatingU Voltage S -
 isPartOfGeneratorUnit Boolean S S
 operationalValuesConsidered Boolean S -
c PowerTransformerEnd TransformerEnd ES ES
 PowerTransformer >PowerTransformer E E
 b Susceptance E E
 b0 Susceptance S S
 connectionKind :WindingConnection E -
 g Conductance E -
 g0 Conductance S S
 phaseAngleClock Integer S S
 r Resistance E E
 r0 Resistance S S
 ratedS ApparentPower E -
 ratedU Voltage E E
 x Reactance E E
 x0 Reactance S S
c ProtectedSwitch Switch EH -
c Quality61850 - O -
 badReference Boolean O -
 estimatorReplaced Boolean O -
 failure Boolean O -
 oldData Boolean O -
 operatorBlocked Boolean O -
 oscillatory Boolean O -
 outOfRange Boolean O -
 overFlow Boolean O -
 source :Source O -
 suspect Boolean O -
 test Boolean O -
 validity :Validity O -
c RaiseLowerCommand AnalogControl O O
 ValueAliasSet >ValueAliasSet O -
c RatioTapChanger TapChanger EH EH
 RatioTapChangerTable >RatioTapChangerTable E -
 TransformerEnd >TransformerEnd E E
 stepVoltageIncrement PerCent E E
c RatioTapChangerTable IdentifiedObject E E
c RatioTapChangerTablePoint TapChangerTablePoint E E
 RatioTapChangerTable >RatioTapChangerTable E E
c ReactiveCapabilityCurve Curve E E
c RegularIntervalSchedule BasicIntervalSchedule E -
 endTime DateTime E E
 timeStep Seconds E E
c RegularTimePoint - E E
 IntervalSchedule >RegularIntervalSchedule E E
 sequenceNumber Integer E E
 value1 Float E E
 value2 Float E -
c RegulatingCondEq EnergyConnection EHS H
 RegulatingControl >RegulatingControl E -
 controlEnabled Boolean H H
c RegulatingControl PowerSystemResource EH EH
 Terminal >Terminal E E
 discrete Boolean H H
 enabled Boolean H H
 maxAllowedTargetValue Float H -
 minAllowedTargetValue Float H -
 mode :RegulatingControlModeKind E E
 targetDeadband Float H -
 targetValue Float H H
 targetValueUnitMultiplier :UnitMultiplier H H
c RegulationSchedule SeasonDayTypeSchedule E E
 RegulatingControl >RegulatingControl E E
c ReportingGroup IdentifiedObject ET E
c RotatingMachine RegulatingCondEq EHS -
 GeneratingUnit >GeneratingUnit E -
 p ActivePower H H
 q ReactivePower H H
 ratedPowerFactor Float E -
 ratedS ApparentPower E -
 ratedU Voltage E -
c Season IdentifiedObject E E
 endDate MonthDay E E
 startDate MonthDay E E
c SeasonDayTypeSchedule RegularIntervalSchedule E -
 DayType >DayType E E
 Season >Season E E
c Sensor AuxiliaryEquipment E -
c SeriesCompensator ConductingEquipment ES ES
 r Resistance E E
 r0 Resistance S S
 varistorPresent Boolean S S
 varistorRatedCurrent CurrentFlow S -
 varistorVoltageThreshold Voltage S -
 x Reactance E E
 x0 Reactance S S
c ServiceLocation WorkLocation G G
c SetPoint AnalogControl O O
 normalValue Float O O
 value Float O O
c ShuntCompensator RegulatingCondEq EHVS -
 aVRDelay Seconds E -
 grounded Boolean E -
 maximumSections Integer E E
 nomU Voltage E E
 normalSections Integer E E
 sections Float H H
 voltageSensitivity VoltagePerReactivePower E -
c SolarGeneratingUnit GeneratingUnit EH EH
 SolarPowerPlant >SolarPowerPlant E - - u
c SolarPowerPlant PowerSystemResource E E u
c StaticVarCompensator RegulatingCondEq EH EH
 capacitiveRating Reactance E E
 inductiveRating Reactance E E
 q ReactivePower H H
 sVCControlMode :SVCControlMode E -
 slope VoltagePerReactivePower E E
 voltageSetPoint Voltage E -
c StationSupply EnergyConsumer EH EH
c Status - G - k
 dateTime DateTime G -
 reason String G -
 remark String G -
 value String G -
c StreetAddress - G - k
 language String G -
 poBox String G -
 postalCode String G -
 status *Status G -
 streetDetail *StreetDetail G -
 townDetail *TownDetail G -
c StreetDetail - G - k
 addressGeneral String G -
 addressGeneral2 String G -
 addressGeneral3 String G -
 buildingName String G -
 code String G -
 floorIdentification String G -
 name String G -
 number String G -
 prefix String G -
 suffix String G -
 suiteNumber String G -
 type String G -
 withinTownLimits Boolean G -
c StringMeasurement Measurement O O
c StringMeasurementValue MeasurementValue O O
 StringMeasurement >StringMeasurement O O
c SubGeographicalRegion IdentifiedObject EB EB
 Region >GeographicalRegion EB EB
c SubLoadArea EnergyArea E E
 LoadArea >LoadArea E E
c Substation EquipmentContainer EB EB
 Region >SubGeographicalRegion EB EB
c SurgeArrester AuxiliaryEquipment E E
c SvInjection - V V
 TopologicalNode >TopologicalNode V V
 pInjection ActivePower V V
 qInjection ReactivePower V -
c SvPowerFlow - V V
 Terminal >Terminal V V
 p ActivePower V V
 q ReactivePower V V
c SvShuntCompensatorSections - V V
 ShuntCompensator >ShuntCompensator V V
 sections Float V V
c SvStatus - V V
 ConductingEquipment >ConductingEquipment V V
 inService Boolean V V
c SvSwitch - V V
 Switch >Switch V V
 open Boolean V V
c SvTapStep - V V
 TapChanger >TapChanger V V
 position Float V V
c SvVoltage - V V
 TopologicalNode >TopologicalNode V V
 angle AngleDegrees V V
 v Voltage V V
c Switch ConductingEquipment EHV EH
 locked Boolean H H
 normalOpen Boolean E E
 open Boolean H H
 ratedCurrent CurrentFlow E -
 retained Boolean E E
c SwitchSchedule SeasonDayTypeSchedule E E
 Switch >Switch E E
c SynchronousMachine RotatingMachine EHS EHS
 InitialReactiveCapabilityCurve >ReactiveCapabilityCurve E -
 earthing Boolean S S
 earthingStarPointR Resistance S -
 earthingStarPointX Reactance S -
 ikk CurrentFlow S -
 maxQ ReactivePower E -
 minQ ReactivePower E -
 mu Float S -
 operatingMode :SynchronousMachineOperatingMode H H
 qPercent PerCent E -
 r Resistance S S
 r0 Resistance S S
 r2 Resistance S S
 referencePriority Integer H H
 satDirectSubtransX PU S S
 satDirectSyncX PU S -
 satDirectTransX PU S -
 shortCircuitRotorType :ShortCircuitRotorKind S -
 type :SynchronousMachineKind E E
 voltageRegulationRange PerCent S -
 x0 Reactance S S
 x2 Reactance S S
c TapChanger PowerSystemResource EHV -
 TapChangerControl >TapChangerControl E -
 controlEnabled Boolean H H
 highStep Integer E E
 lowStep Integer E E
 ltcFlag Boolean E E
 neutralStep Integer E E
 neutralU Voltage E E
 normalStep Integer E E
 step Float H H
c TapChangerControl RegulatingControl EH EH
c TapChangerTablePoint - E -
 b PerCent E -
 g PerCent E -
 r PerCent E -
 ratio Float E -
 step Integer E E
 x PerCent E -
c TapSchedule SeasonDayTypeSchedule E E
 TapChanger >TapChanger E E
c Terminal ACDCTerminal EBHTVOS EBHT
 ConductingEquipment >ConductingEquipment EB EB
 ConnectivityNode >ConnectivityNode EB -
 TopologicalNode >TopologicalNode T -
 phases :PhaseCode E -
c TextDiagramObject DiagramObject D D
 text String D D
c ThermalGeneratingUnit GeneratingUnit EH EH
 CAESPlant >CAESPlant E -
 CogenerationPlant >CogenerationPlant E -
 CombinedCyclePlant >CombinedCyclePlant E -
c TieFlow IdentifiedObject E E
 ControlArea >ControlArea E E
 Terminal >Terminal E E
 positiveFlowIn Boolean E E
c TopologicalIsland IdentifiedObject V V
 AngleRefTopologicalNode >TopologicalNode V V
 TopologicalNodes >TopologicalNode V V V
c TopologicalNode IdentifiedObject TV T
 BaseVoltage >BaseVoltage T T
 ConnectivityNodeContainer >ConnectivityNodeContainer T T
 ReportingGroup >ReportingGroup T -
c TownDetail - G - k
 code String G -
 country String G -
 name String G -
 section String G -
 stateOrProvince String G -
c TransformerEnd IdentifiedObject ES -
 BaseVoltage >BaseVoltage E E
 Terminal >Terminal E E
 endNumber Integer E E
 grounded Boolean S S
 rground Resistance S -
 xground Reactance S -
c ValueAliasSet IdentifiedObject O O
c ValueToAlias IdentifiedObject O O
 ValueAliasSet >ValueAliasSet O O
 value Integer O O
c VisibilityLayer IdentifiedObject D D
 VisibleObjects >DiagramObject D D D
 drawingOrder Integer D -
c VoltageLevel EquipmentContainer EB EB
 BaseVoltage >BaseVoltage EB EB
 Substation >Substation EB EB
 highVoltageLimit Voltage EB -
 lowVoltageLimit Voltage EB -
c VoltageLimit OperationalLimit EH EH
 normalValue Voltage E E
 value Voltage H H
c VsCapabilityCurve Curve E E
c VsConverter ACDCConverter EHV EHV
 CapabilityCurve >VsCapabilityCurve E -
 delta AngleDegrees V V
 droop PU H -
 droopCompensation Resistance H -
 maxModulationIndex Float E -
 pPccControl :VsPpccControlKind H H
 qPccControl :VsQpccControlKind H H
 qShare PerCent H -
 targetPWMfactor Float H -
 targetPhasePcc AngleDegrees H -
 targetPowerFactorPcc Float H -
 targetQpcc ReactivePower H -
 targetUpcc Voltage H -
 uv Voltage V V
c WaveTrap AuxiliaryEquipment E E
c WindGeneratingUnit GeneratingUnit EH EH
 WindPowerPlant >WindPowerPlant E - - u
 windGenUnitType :WindGenUnitKind E E
c WindPowerPlant PowerSystemResource E E u
c WorkLocation Location G -`;
