/*
 * A receiving client on the C library lib60870, for side-by-side measurements. The library comes out of the c104 wheel, whose
 * module exports its C functions; this file declares the few it calls (no header of the library is copied) and is built
 * on demand into a shared object that a Python process loads beside the module. No Python runs while it receives.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

typedef void *Connection;
typedef void *Asdu;
typedef void *Object;
struct apci { int k, w, t0, t1, t2, t3; };

Connection CS104_Connection_create(const char *host, int port);
void CS104_Connection_setASDUReceivedHandler(Connection, bool (*)(void *, int, Asdu), void *);
struct apci *CS104_Connection_getAPCIParameters(Connection);
bool CS104_Connection_connect(Connection);
void CS104_Connection_sendStartDT(Connection);
void CS104_Connection_destroy(Connection);
int CS101_ASDU_getNumberOfElements(Asdu);
int CS101_ASDU_getTypeID(Asdu);
Object CS101_ASDU_getElementEx(Asdu, Object, int);
int InformationObject_getObjectAddress(Object);
float MeasuredValueShort_getValue(Object);
uint8_t MeasuredValueShort_getQuality(Object);
void *MeasuredValueShortWithCP56Time2a_getTimestamp(Object);
uint64_t CP56Time2a_toMsTimestamp(void *);

static volatile long received;
static long wanted;
static double first, last;
static double cpu_first, cpu_last;
static double sum;

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

static bool on_asdu(void *parameter, int address, Asdu asdu) {
    (void)parameter;
    (void)address;
    /* Room for any information object of the library, so that no element is allocated. */
    static uint64_t storage[64];
    if (received == 0) {
        first = now();
        cpu_first = cpu();
    }
    int count = CS101_ASDU_getNumberOfElements(asdu);
    if (CS101_ASDU_getTypeID(asdu) != 36) return true;
    for (int i = 0; i < count; i++) {
        Object object = CS101_ASDU_getElementEx(asdu, (Object)storage, i);
        sum += InformationObject_getObjectAddress(object) + MeasuredValueShort_getValue(object) + MeasuredValueShort_getQuality(object);
        sum += (double)CP56Time2a_toMsTimestamp(MeasuredValueShortWithCP56Time2a_getTimestamp(object));
    }
    received += count;
    if (received >= wanted) {
        last = now();
        cpu_last = cpu();
    }
    return true;
}

/* Receives `points` points; prints seconds and CPU seconds as JSON. */
int receive(const char *host, int port, int k, int w, long points) {
    Connection connection = CS104_Connection_create(host, port);
    struct apci *parameters = CS104_Connection_getAPCIParameters(connection);
    parameters->k = k;
    parameters->w = w;
    wanted = points;
    CS104_Connection_setASDUReceivedHandler(connection, on_asdu, NULL);
    if (!CS104_Connection_connect(connection)) return 1;
    CS104_Connection_sendStartDT(connection);
    double end = now() + 60;
    while (last == 0 && now() < end) usleep(1000);
    printf("{\"points\": %ld, \"seconds\": %.6f, \"cpuSeconds\": %.6f, \"sum\": %.0f}\n", received, last - first, cpu_last - cpu_first, sum);
    fflush(stdout);
    CS104_Connection_destroy(connection);
    return last == 0;
}
