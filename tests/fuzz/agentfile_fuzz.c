/*
 * A machine's record of its relay that anybody wrote. What is loaded is as
 * agentfile.h describes, and saved again it is loaded the same; what is not
 * has a sentence, and leaves nothing behind.
 */
#include "core/agentfile.h"

#include <string.h>

#include "core/joinstr.h"
#include "fake/port_keep.h"

#define PATH "/state/agent.json"

static struct agentfile first, second;

static void check(const struct agentfile *a)
{
    assert(joinstr_host_ok(view_str(a->host)) && a->port > 0);
    assert(strlen(a->machine_id) == 36 && a->machine_id[8] == '-');
    assert(strlen(a->joined_at) == AGENTFILE_TIME_CAP - 1);
    assert(a->fleet_id[0] != '\0' && strpbrk(a->fleet_id, "/.\\ \n") == NULL);
    assert(strlen(a->fleet_id) < sizeof a->fleet_id && a->name[0] != '\0');
    for (const char *c = a->name; *c != '\0'; c++)
        assert((uint8_t)*c >= ' ' && *c != 0x7F);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char buf[1024];
    struct text why;
    if (size > FAKE_FILE_BYTES)
        return 0;
    TEXT_OF(&why, buf);
    fake_reset_files();
    fake_put(PATH, view_of(data, size));
    memset(&first, 0x5A, sizeof first);
    int err = agentfile_load("/state", &first, &why);
    assert((err == OK) == (why.len == 0) && !why.cut);
    if (err != OK) {
        assert(err == ERR_DAMAGED || err == ERR_UNSUPPORTED);
        for (size_t i = 0; i < sizeof first; i++)
            assert(((const uint8_t *)&first)[i] == 0x5A);
        return 0;
    }
    check(&first);
    assert(agentfile_save("/state", &first, &why) == OK);
    assert(agentfile_load("/state", &second, &why) == OK && why.len == 0);
    assert(memcmp(&first, &second, sizeof first) == 0);
    return 0;
}
