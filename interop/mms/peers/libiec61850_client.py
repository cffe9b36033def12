"""A client of libiec61850 (through pyiec61850-ng): connects, reads one status value, says what it got, and leaves."""
import sys

import pyiec61850.pyiec61850 as iec

connection = iec.IedConnection_create()
_, error = iec.IedConnection_connect(connection, "127.0.0.1", int(sys.argv[1]))
print("connect", error)
value, error = iec.IedConnection_readBooleanValue(connection, "IEDLD0/GGIO1.Ind1.stVal", iec.IEC61850_FC_ST)
print("read", bool(value), error)
value, error = iec.IedConnection_readBooleanValue(connection, "IEDLD0/GGIO1.Ind2.stVal", iec.IEC61850_FC_ST)
print("missing", error != 0)
iec.IedConnection_close(connection)
iec.IedConnection_destroy(connection)
