/* Requests to run something; see request.h. */
#include "core/request.h"

#include "base/err.h"
#include "port/port.h"

struct request *request_scratch(void)
{
    static struct request r;
    r.argv = (struct msg_strings){.list = r.argv_list,
                                  .cap = ARGS_COUNT_MAX + 1,
                                  .buf = SPAN_ARRAY(r.argv_buf)};
    r.env = (struct msg_strings){.list = r.env_list,
                                 .cap = ENV_COUNT_MAX + 1,
                                 .buf = SPAN_ARRAY(r.env_buf)};
    return &r;
}

void request_refuse(struct mux *m, uint32_t number, int err, const char *why)
{
    switch (err) {
    case ERR_NOT_FOUND:
        (void)mux_reject(m, number, cmdop_agent_v1_Code_CODE_NO_PROGRAM,
                         "there is no such program on the machine",
                         "check the name and the PATH there");
        return;
    case ERR_DENIED:
        (void)mux_reject(m, number, cmdop_agent_v1_Code_CODE_CANNOT_RUN,
                         "the program may not be executed by the agent's user",
                         "check its mode and owner");
        return;
    case ERR_LIMIT:
        (void)mux_reject(m, number, cmdop_agent_v1_Code_CODE_LIMIT,
                         "the machine runs as much as it may at once",
                         "try again when something has ended");
        return;
    case ERR_TOO_BIG:
        (void)mux_reject(m, number, cmdop_agent_v1_Code_CODE_LIMIT,
                         "arguments and environment are too large",
                         "put them into a file, or send them on stdin");
        return;
    default:
        (void)mux_reject(m, number, cmdop_agent_v1_Code_CODE_CANNOT_RUN, why,
                         "");
    }
}

void request_words(const char *const *argv, char *out, size_t cap)
{
    struct text t;
    text_init(&t, out, cap);
    for (uint32_t i = 0; argv[i] != NULL; i++) {
        text_str(&t, i > 0 ? " " : "");
        text_safe(&t, view_str(argv[i]));
    }
}
