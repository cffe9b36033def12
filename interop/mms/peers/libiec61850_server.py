"""An IEC 61850 server of libiec61850 (through pyiec61850-ng) with one status point; ends with its standard input."""
import sys

import pyiec61850.pyiec61850 as iec

port = int(sys.argv[1])
model = iec.IedModel_create("IED")
device = iec.LogicalDevice_create("LD0", model)
iec.LogicalNode_create("LLN0", device)
node = iec.LogicalNode_create("GGIO1", device)
iec.CDC_SPS_create("Ind1", iec.toModelNode(node), 0)
server = iec.IedServer_create(model)
iec.IedServer_setLocalIpAddress(server, "127.0.0.1")
iec.IedServer_start(server, port)
print("ready" if iec.IedServer_isRunning(server) else "failed", flush=True)
sys.stdin.read()
iec.IedServer_stop(server)
iec.IedServer_destroy(server)
