/*
 * A small town for the simulated tests: a relay, a machine and an operator's
 * desk, each on a host of its own, and the programs that live there.
 */
#ifndef TESTS_SIM_TOWN_H
#define TESTS_SIM_TOWN_H

#include "port/sim/sim.h"

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)

struct town {
    uint64_t seed; /* of this run */
    int relay_host, machine_host, desk_host;
    int relay, agent; /* roles; -1: none */
};

extern struct town town;

/* Set town.seed: SEED if it is set, else `otherwise`; printed. */
void town_seed(uint64_t otherwise);

/* Around a test: an open town at town.seed; its end. */
int town_setup(void **state);
int town_teardown(void **state);

/* A test in an open town; one that opens its own, often many. */
#define TOWN_FACT(f) \
    cmocka_unit_test_setup_teardown(f, town_setup, town_teardown)
#define TOWN_TALE(f) cmocka_unit_test_teardown(f, town_teardown)

/* A fresh world with the three hosts and nothing on them; the relay's store is
 * new. The old world ends; call town_end at last. */
void town_begin(uint64_t seed);
void town_end(void);

/* Start the relay and wait until it listens; start the agent. The first time
 * a machine has to join. */
void town_start_relay(void);
void town_spawn_relay(void); /* without waiting */
void town_join(const char *name);
/* The words to join with, for `cap` of them; makes a join key. */
void town_join_line(const char *name, char *line, size_t cap);
void town_start_agent(void);
/* All of that, until the machine is online. */
void town_open(uint64_t seed);

/* The same town as town_open makes, faster: from the files of a first one. */
void town_reopen(uint64_t seed);

/* An operator's program at the desk: "connect exec web-1 -- true"; and one at
 * the machine, by the agent's user. The environment in `how` is not used. */
int town_tool(const char *line, const struct sim_start *how);
int town_local(const char *line, const struct sim_start *how);
/* A tool, until it ended; its status. */
int town_run(const char *line, uint64_t ms_max);

/* How many rows a table of the relay's store has, looked at from outside. */
int town_rows(const char *of);

bool town_is_online(void); /* by the relay's log: online more often than off */
bool town_wait_online(uint64_t ms_max);
bool town_wait_offline(uint64_t ms_max);

/* Fail the test when something is wrong with the world itself. */
void town_check(void);

/* Are these words in what a program said? */
bool town_tells(struct view said, const char *words);

/* The first `len` bytes of what the program `producer` writes. */
void town_assert_produced(struct view got, size_t len);

#endif
