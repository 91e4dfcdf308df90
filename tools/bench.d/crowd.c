/*
 * Many machines in one process, for the relay's load: each has a key of its
 * own, does the whole handshake over TLS, holds its link, and beats as an
 * agent does. What an agent does beside that (shells, files) is not here.
 *
 *   crowd COUNT FLIGHTS       the join string is the first line of its input
 *
 * It enrols COUNT machines, FLIGHTS of them at a time, and then does what the
 * lines of its input say: "again" breaks every link at once and all come
 * back, "end" ends it. After each of the two it prints one JSON line:
 *
 *   {"what":"enrol","count":N,"failed":N,"seconds":S,"p50_ms":T,"p99_ms":T}
 *
 * where the time of one is from its first packet to its Welcome.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "core/facts.h"
#include "core/joinstr.h"
#include "core/peer.h"
#include "crypto/hash.h"
#include "transport/dial.h"

#define DIAL_MS 60000
#define BEAT_MS HEARTBEAT_MS

struct agent {
    struct peer peer;
    struct sign_key key;
    struct link_credential credential;
    char name[24];
    uint64_t began_us;
    uint32_t took_us; /* 0: not in yet */
    struct flight *flight;
};

/* One that is on its way; as many at a time as there are of these. */
struct flight {
    struct dial dial;
    struct agent *agent; /* NULL: free */
};

static struct {
    struct arena arena;
    struct loop loop;
    struct span scratch; /* of all: one is received at a time */
    struct joinstr to;
    msg_hello hello;
    uint8_t instance[16];
    struct agent *agents;
    struct flight *flights;
    uint32_t count, flights_count;
    uint32_t next; /* the next one that has not begun */
    uint32_t done, failed;
    const char *what;
    uint64_t began_us;
    int beat;
    char line[JOINSTR_CAP + 2];
    size_t line_len;
    bool over;
} crowd;

static void begin_more(void);

/* ---- how it went --------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void report(void)
{
    uint32_t *took = calloc(crowd.count, sizeof(*took));
    uint32_t n = 0;
    double seconds = (double)(port_now_us() - crowd.began_us) / 1e6;
    if (took == NULL)
        port_fatal("no memory for the figures");
    for (uint32_t i = 0; i < crowd.count; i++)
        if (crowd.agents[i].took_us != 0)
            took[n++] = crowd.agents[i].took_us;
    qsort(took, n, sizeof(*took), compare);
    printf("{\"what\":\"%s\",\"count\":%u,\"failed\":%u,\"seconds\":%.3f,"
           "\"p50_ms\":%.2f,\"p99_ms\":%.2f}\n",
           crowd.what, n, crowd.failed, seconds, n ? took[n / 2] / 1e3 : 0.0,
           n ? took[n * 99 / 100] / 1e3 : 0.0);
    fflush(stdout);
    free(took);
}

static void landed(struct agent *a, const char *why)
{
    struct flight *f = a->flight;
    a->flight = NULL;
    f->agent = NULL;
    if (why == NULL) {
        uint64_t us = port_now_us() - a->began_us;
        a->took_us = us > 0 ? (uint32_t)us : 1;
    } else {
        if (crowd.failed++ == 0)
            fprintf(stderr, "crowd: %s: %s\n", a->name, why);
    }
    if (++crowd.done == crowd.count)
        report();
    else
        begin_more();
}

/* ---- one machine ----------------------------------------------------------------- */

static void beat(struct agent *a)
{
    static const msg_heartbeat none = cmdop_agent_v1_Heartbeat_init_zero;
    (void)link_send(&a->peer.link, MSG_HEARTBEAT,
                    cmdop_agent_v1_Heartbeat_fields, &none);
}

static void on_welcomed(void *ctx, const msg_welcome *w)
{
    struct agent *a = ctx;
    a->credential.join_key = NULL;
    a->credential.name = NULL;
    a->credential.epoch = w->epoch;
    beat(a);
    landed(a, NULL);
}

static void on_refused(void *ctx, const msg_refuse *r)
{
    (void)ctx;
    (void)r; /* the sentence comes with the end of the link */
}

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    struct agent *a = ctx;
    (void)params;
    (void)mux_reject(&a->peer.link.mux, open->channel,
                     cmdop_agent_v1_Code_CODE_UNSUPPORTED, "nobody is here",
                     "");
}

static void on_wake(void *ctx)
{
    struct agent *a = ctx;
    peer_wake(&a->peer);
}

static const struct link_ops ops = {
    .welcomed = on_welcomed,
    .refused = on_refused,
    .open = on_open,
    .wake = on_wake,
};

static void on_over(void *ctx, const char *why)
{
    struct agent *a = ctx;
    if (a->flight != NULL)
        landed(a, why[0] != '\0' ? why : "the relay closed the connection");
    else
        fprintf(stderr, "crowd: %s lost its link: %s\n", a->name, why);
}

static void on_dialed(void *ctx, int handle, const char *why)
{
    struct flight *f = ctx;
    struct agent *a = f->agent;
    uint8_t entropy[32];
    if (handle < 0) {
        landed(a, why);
        return;
    }
    port_entropy(SPAN_ARRAY(entropy));
    struct tls_client_cfg tls = {.server_name = crowd.to.host,
                                 .entropy = VIEW_ARRAY(entropy)};
    if (peer_dialed(&a->peer, handle, &tls, crowd.to.host, &a->credential, &ops,
                    on_over, a) != OK)
        landed(a, "the connection could not be set up");
    else
        peer_limit(&a->peer, DIAL_MS);
}

static void init_agent(struct agent *a, uint32_t i)
{
    uint8_t seed[HASH_LEN];
    struct link_mem mem = peer_carve(&crowd.arena, true);
    peer_init(&a->peer, &crowd.loop, &mem, crowd.scratch);
    snprintf(a->name, sizeof(a->name), "crowd-%05u", i);
    port_entropy(SPAN_ARRAY(seed));
    sign_keypair_from_seed(seed, &a->key);
    a->credential = (struct link_credential){.hello = &crowd.hello,
                                             .pin = crowd.to.pin,
                                             .machine = &a->key,
                                             .instance = crowd.instance,
                                             .join_key = crowd.to.key,
                                             .name = a->name,
                                             .entropy = port_entropy};
}

/* ---- all of them ------------------------------------------------------------------ */

static void begin_one(struct flight *f)
{
    struct agent *a = &crowd.agents[crowd.next++];
    f->agent = a;
    a->flight = f;
    a->took_us = 0;
    a->began_us = port_now_us();
    if (dial_start(&f->dial, crowd.to.host, crowd.to.port, DIAL_MS, on_dialed,
                   f) != OK)
        port_fatal("the join string's host cannot be dialled");
}

static void begin_more(void)
{
    for (uint32_t i = 0; i < crowd.flights_count && crowd.next < crowd.count;
         i++)
        if (crowd.flights[i].agent == NULL &&
            !dial_busy(&crowd.flights[i].dial))
            begin_one(&crowd.flights[i]);
}

static void begin(const char *what)
{
    crowd.what = what;
    crowd.next = crowd.done = crowd.failed = 0;
    crowd.began_us = port_now_us();
    begin_more();
}

static void on_beat(void *ctx, uint64_t now_ms)
{
    (void)ctx;
    for (uint32_t i = 0; i < crowd.count; i++)
        if (crowd.agents[i].peer.link.state == LINK_OPEN)
            beat(&crowd.agents[i]);
    loop_arm(&crowd.loop, crowd.beat, now_ms + BEAT_MS);
}

static void do_line(const char *line)
{
    if (strcmp(line, "again") == 0) {
        for (uint32_t i = 0; i < crowd.count; i++)
            peer_drop(&crowd.agents[i].peer);
        begin("reconnect");
    } else {
        crowd.over = true;
    }
}

/* The next line of the input, waiting for it; false at its end. */
static bool read_line(bool wait)
{
    for (;;) {
        struct port_want want = {.handle = PORT_STDIN, .want = PORT_READ};
        if (wait)
            (void)port_wait(&want, 1, PORT_FOREVER);
        int n =
            port_recv(PORT_STDIN,
                      (struct span){(uint8_t *)crowd.line + crowd.line_len, 1});
        if (n < 0)
            return false;
        if (n == 0 && !wait)
            return true;
        if (n == 0)
            continue;
        if (crowd.line[crowd.line_len] == '\n' ||
            crowd.line_len + 2 >= sizeof(crowd.line)) {
            crowd.line[crowd.line_len] = '\0';
            crowd.line_len = 0;
            if (wait)
                return true;
            do_line(crowd.line);
        } else {
            crowd.line_len++;
        }
    }
}

static void on_input(void *ctx, uint8_t ready)
{
    (void)ctx;
    (void)ready;
    if (!read_line(false))
        crowd.over = true;
}

static size_t bytes_needed(void)
{
    return (size_t)crowd.count *
               (sizeof(struct agent) + PEER_CARVE_BYTES + 8192) +
           (size_t)crowd.flights_count * (sizeof(struct flight) + 256) +
           16 * 1024 * 1024;
}

static void set_up(void)
{
    arena_init(&crowd.arena, port_memory(bytes_needed()));
    loop_init(&crowd.loop, &crowd.arena,
              crowd.count + 4 * crowd.flights_count + 8,
              crowd.count + crowd.flights_count + 8);
    if (h2_prepare() != OK)
        port_fatal("not enough memory to start");
    facts_hello(&crowd.hello, cmdop_agent_v1_Role_ROLE_MACHINE, "crowd");
    facts_machine(&crowd.hello);
    port_entropy(SPAN_ARRAY(crowd.instance));
    crowd.agents =
        arena_carve(&crowd.arena, crowd.count * sizeof(*crowd.agents), 16);
    crowd.flights = arena_carve(
        &crowd.arena, crowd.flights_count * sizeof(*crowd.flights), 16);
    crowd.scratch = arena_span(&crowd.arena, PEER_SCRATCH_BYTES);
    for (uint32_t i = 0; i < crowd.count; i++)
        init_agent(&crowd.agents[i], i);
    for (uint32_t i = 0; i < crowd.flights_count; i++)
        (void)dial_init(&crowd.flights[i].dial, &crowd.loop);
    crowd.beat = loop_timer_add(&crowd.loop, on_beat, NULL);
    loop_arm(&crowd.loop, crowd.beat, port_now_ms() + BEAT_MS);
    (void)loop_add(&crowd.loop, PORT_STDIN, PORT_READ, on_input, NULL);
}

int main(int argc, char **argv)
{
    char buf[256];
    struct text why;
    uint16_t port;
    TEXT_OF(&why, buf);
    if (argc != 3) {
        fprintf(stderr, "usage: crowd COUNT FLIGHTS < JOIN-STRING...\n");
        return 2;
    }
    crowd.count = (uint32_t)strtoul(argv[1], NULL, 10);
    crowd.flights_count = (uint32_t)strtoul(argv[2], NULL, 10);
    if (!read_line(true) ||
        joinstr_parse(view_str(crowd.line), &crowd.to, &why) != OK) {
        fprintf(stderr, "crowd: no join string: %s\n", buf);
        return 2;
    }
    /* The number of handles is raised where a listener is made. */
    struct port_addr at;
    if (port_addr_parse("127.0.0.1", 0, &at) == OK)
        port_close(port_listen(&at, &port));
    (void)port_handle_nonblock(PORT_STDIN);
    set_up();
    begin("enrol");
    while (!crowd.over)
        if (loop_turn(&crowd.loop) != OK)
            port_fatal(port_why());
    return 0;
}
