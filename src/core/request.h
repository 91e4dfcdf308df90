/*
 * What an operator asks to be run: arguments and environment as they came,
 * each in one buffer. One request is looked at in one turn, so one place
 * serves all (request_scratch).
 */
#ifndef CORE_REQUEST_H
#define CORE_REQUEST_H

#include "codec/msg.h"
#include "core/environ.h"
#include "core/mux.h"
#include "limits.h"

struct request {
    struct msg_strings argv;
    struct msg_strings env;
    struct environ environ;
    const char *argv_list[ARGS_COUNT_MAX + 1];
    const char *env_list[ENV_COUNT_MAX + 1];
    uint8_t argv_buf[ARGS_MAX];
    uint8_t env_buf[ARGS_MAX];
};

/* The one place; its content is lost at the next call. */
struct request *request_scratch(void);

/* Refuse a channel because a program could not be started: `err` is what the
 * port said. */
void request_refuse(struct mux *m, uint32_t number, int err, const char *why);

/* The words of a command in one line, for people; cut to `cap`. */
void request_words(const char *const *argv, char *out, size_t cap);

#endif
