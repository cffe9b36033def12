/*
 * A server and a client on the C library libiec61850, for side-by-side measurements: what benchmarks/iec61850/ours.ts does, with the
 * same orders on its command line and the same side channel. The library comes out of the wheel pyiec61850-ng; this file
 * declares the few functions it calls (no header of the library is copied) and is compiled on demand. No Python runs.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef void *Handle;
Handle IedModel_create(const char *name);
Handle LogicalDevice_create(const char *name, Handle model);
Handle LogicalNode_create(const char *name, Handle device);
Handle CDC_MV_create(const char *name, Handle parent, uint32_t options, bool integer);
Handle DataSet_create(const char *name, Handle node);
Handle DataSetEntry_create(Handle set, const char *variable, int index, const char *component);
Handle ReportControlBlock_create(const char *name, Handle node, const char *id, bool buffered, const char *set, uint32_t revision, uint8_t triggers, uint8_t options, uint32_t buffer_time, uint32_t integrity);
Handle ModelNode_getChild(Handle node, const char *name);
Handle IedServer_create(Handle model);
void IedServer_setLocalIpAddress(Handle server, const char *address);
void IedServer_start(Handle server, int port);
bool IedServer_isRunning(Handle server);
void IedServer_updateFloatAttributeValue(Handle server, Handle attribute, float value);
void IedServer_updateQuality(Handle server, Handle attribute, uint16_t quality);
void IedServer_updateUTCTimeAttributeValue(Handle server, Handle attribute, uint64_t millis);

Handle IedConnection_create(void);
void IedConnection_close(Handle connection);
void IedConnection_connect(Handle connection, int *error, const char *host, int port);
float IedConnection_readFloatValue(Handle connection, int *error, const char *reference, int fc);
Handle IedConnection_readDataSetValues(Handle connection, int *error, const char *reference, Handle set);
Handle ClientDataSet_getValues(Handle set);
Handle MmsValue_getElement(Handle value, int index);
float MmsValue_toFloat(Handle value);
Handle IedConnection_getRCBValues(Handle connection, int *error, const char *reference, Handle block);
void IedConnection_installReportHandler(Handle connection, const char *reference, const char *id, void (*handler)(void *, Handle), void *parameter);
void IedConnection_setRCBValues(Handle connection, int *error, Handle block, uint32_t parts, bool single);
void ClientReportControlBlock_setResv(Handle block, bool value);
void ClientReportControlBlock_setRptEna(Handle block, bool value);
void ClientReportControlBlock_setPurgeBuf(Handle block, bool value);
void ClientReportControlBlock_setTrgOps(Handle block, int value);
void ClientReportControlBlock_setOptFlds(Handle block, int value);
Handle ClientReport_getDataSetValues(Handle report);
int ClientReport_getReasonForInclusion(Handle report, int index);

enum { FC_MX = 1, TRIGGER_CHANGE = 1, TRIGGER_GI = 16, OPTION_SEQ = 1, OPTION_TIME = 2, OPTION_REASON = 4, OPTION_ENTRY = 64 };
enum { PART_ENA = 2, PART_RESV = 4, PART_OPTIONS = 32, PART_TRIGGERS = 256, PART_PURGE = 2048 };
enum { OBJECTS = 100, BUFFER_TIME = 20, WINDOW = 16 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static double cpu(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void fail(const char *what, int error) {
    fprintf(stderr, "libiec61850: %s: error %d\n", what, error);
    exit(1);
}

static void receive(int fd, void *to, size_t octets) {
    for (size_t at = 0; at < octets;) {
        ssize_t got = read(fd, (char *)to + at, octets - at);
        if (got <= 0) fail("the side channel ended", 0);
        at += (size_t)got;
    }
}

static int serve(int port, int side_port) {
    Handle model = IedModel_create("B");
    Handle device = LogicalDevice_create("LD", model);
    Handle lln0 = LogicalNode_create("LLN0", device);
    Handle set = DataSet_create("All", lln0);
    static Handle values[OBJECTS], qualities[OBJECTS], times[OBJECTS];
    for (int i = 0; i < OBJECTS; i++) {
        char node_name[16], object_name[16], entry[48];
        static Handle node;
        snprintf(node_name, sizeof node_name, "GGIO%d", i / 10 + 1);
        snprintf(object_name, sizeof object_name, "AnIn%d", i % 10 + 1);
        if (i % 10 == 0) node = LogicalNode_create(node_name, device);
        Handle object = CDC_MV_create(object_name, node, 0, false);
        values[i] = ModelNode_getChild(object, "mag.f");
        qualities[i] = ModelNode_getChild(object, "q");
        times[i] = ModelNode_getChild(object, "t");
        snprintf(entry, sizeof entry, "%s$MX$%s", node_name, object_name);
        DataSetEntry_create(set, entry, -1, NULL);
    }
    int options = OPTION_SEQ | OPTION_TIME | OPTION_REASON;
    ReportControlBlock_create("urcb", lln0, "urcb", false, "All", 1, TRIGGER_CHANGE | TRIGGER_GI, options, BUFFER_TIME, 0);
    ReportControlBlock_create("brcb", lln0, "brcb", true, "All", 1, TRIGGER_CHANGE | TRIGGER_GI, options | OPTION_ENTRY, BUFFER_TIME, 0);
    Handle server = IedServer_create(model);
    IedServer_setLocalIpAddress(server, "127.0.0.1");
    IedServer_start(server, port);
    if (!IedServer_isRunning(server)) fail("the server does not run", 0);

    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(side_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4)) fail("the side channel", 0);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int side = accept(listener, NULL, NULL);
        if (side < 0) return 1;
        uint32_t order[2];
        if (recv(side, order, sizeof order, MSG_WAITALL) != sizeof order) {
            close(side);
            continue;
        }
        long cycles = ntohl(order[0]), window = ntohl(order[1]), made = 0, taken = 0;
        double begin = cpu();
        while (taken < cycles) {
            while (made < cycles && made - taken < window) {
                struct timespec t;
                clock_gettime(CLOCK_REALTIME, &t);
                uint64_t millis = (uint64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
                made++;
                for (int i = 0; i < OBJECTS; i++) {
                    IedServer_updateUTCTimeAttributeValue(server, times[i], millis);
                    IedServer_updateQuality(server, qualities[i], 0);
                    IedServer_updateFloatAttributeValue(server, values[i], made + i / 128.0f);
                }
            }
            char octets[256];
            ssize_t got = read(side, octets, sizeof octets);
            if (got <= 0) break;
            taken += got;
        }
        uint64_t nanos = htobe64((uint64_t)((cpu() - begin) * 1e9));
        if (write(side, &nanos, sizeof nanos) < 0) return 1;
        close(side);
    }
}

static int side_channel;
static volatile long reported;
static volatile double last;
static double sum;

static void on_report(void *parameter, Handle report) {
    (void)parameter;
    Handle values = ClientReport_getDataSetValues(report);
    for (int i = 0; i < OBJECTS; i++) {
        if (ClientReport_getReasonForInclusion(report, i) == 0) continue;
        sum += MmsValue_toFloat(MmsValue_getElement(MmsValue_getElement(MmsValue_getElement(values, i), 0), 0));
        reported++;
    }
    last = now();
    static long told;
    for (; told < reported / OBJECTS; told++)
        if (write(side_channel, "", 1) != 1) fail("the side channel ended", 0);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int call(int port, int side_port, const char *test, long count) {
    int error = 0;
    Handle connection = IedConnection_create();
    IedConnection_connect(connection, &error, "127.0.0.1", port);
    if (error) fail("connect", error);
    bool read_one = strcmp(test, "read") == 0;
    if (read_one || strcmp(test, "dataset") == 0) {
        Handle set = NULL;
        double *times = malloc(sizeof(double) * (size_t)count);
        double begin = 0, cpu_begin = 0, before = 0;
        for (long i = -count / 10; i < count; i++) {
            if (i == 0) {
                cpu_begin = cpu();
                before = begin = now();
            }
            if (read_one) sum += IedConnection_readFloatValue(connection, &error, "BLD/GGIO1.AnIn1.mag.f", FC_MX);
            else {
                set = IedConnection_readDataSetValues(connection, &error, "BLD/LLN0.All", set);
                if (error) fail(test, error);
                Handle values = ClientDataSet_getValues(set);
                for (int k = 0; k < OBJECTS; k++)
                    sum += MmsValue_toFloat(MmsValue_getElement(MmsValue_getElement(MmsValue_getElement(values, k), 0), 0));
            }
            if (error) fail(test, error);
            if (i >= 0) {
                double at = now();
                times[i] = at - before;
                before = at;
            }
        }
        double seconds = now() - begin, used = cpu() - cpu_begin;
        qsort(times, (size_t)count, sizeof(double), ascending);
        printf("{\"values\":%ld,\"seconds\":%.9f,\"cpuSeconds\":%.9f,\"p50Ms\":%.6f,\"p99Ms\":%.6f}\n", count * (read_one ? 1 : OBJECTS),
               seconds, used, times[count / 2] * 1e3, times[count * 99 / 100] * 1e3);
        IedConnection_close(connection);
        return sum != sum;
    }
    bool buffered = strcmp(test, "brcb") == 0;
    side_channel = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    setsockopt(side_channel, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(side_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(side_channel, (struct sockaddr *)&address, sizeof address)) fail("the side channel", 0);
    const char *reference = buffered ? "BLD/LLN0.BR.brcb" : "BLD/LLN0.RP.urcb";
    Handle block = IedConnection_getRCBValues(connection, &error, reference, NULL);
    if (error) fail("control block", error);
    IedConnection_installReportHandler(connection, reference, test, on_report, NULL);
    ClientReportControlBlock_setTrgOps(block, TRIGGER_CHANGE);
    ClientReportControlBlock_setOptFlds(block, OPTION_SEQ | OPTION_TIME | OPTION_REASON | (buffered ? OPTION_ENTRY : 0));
    ClientReportControlBlock_setRptEna(block, true);
    if (buffered) ClientReportControlBlock_setPurgeBuf(block, true);
    else ClientReportControlBlock_setResv(block, true);
    IedConnection_setRCBValues(connection, &error, block, (buffered ? PART_PURGE : PART_RESV) | PART_OPTIONS | PART_TRIGGERS, false);
    if (error) fail("setting up the control block", error);
    IedConnection_setRCBValues(connection, &error, block, PART_ENA, false);
    if (error) fail("enabling the control block", error);
    double begin = now(), cpu_begin = cpu();
    uint32_t order[2] = {htonl((uint32_t)count), htonl(WINDOW)}; /* cycles, and how many may be on their way */
    if (write(side_channel, order, sizeof order) != sizeof order) fail("the side channel ended", 0);
    uint64_t nanos;
    receive(side_channel, &nanos, sizeof nanos);
    printf("{\"values\":%ld,\"seconds\":%.9f,\"cpuSeconds\":%.9f,\"serverCpuSeconds\":%.9f}\n", reported, last - begin, cpu() - cpu_begin,
           be64toh(nanos) / 1e9);
    IedConnection_close(connection);
    return sum != sum;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "server") == 0) return serve(atoi(argv[2]), atoi(argv[3]));
    if (argc == 6 && strcmp(argv[1], "client") == 0) return call(atoi(argv[2]), atoi(argv[3]), argv[4], atol(argv[5]));
    fail("server PORT SIDE-PORT | client PORT SIDE-PORT TEST COUNT", 0);
}
