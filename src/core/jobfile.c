/* The file of a command that is kept; see jobfile.h. */
#include "core/jobfile.h"

#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "core/hold.h"
#include "core/paths.h"
#include "port/port.h"

#define ENDING ".job"

static int path_of(char out[PATH_CAP], const char *folder, const char *place)
{
    char name[HOLD_ID_CAP + sizeof(ENDING)];
    struct text t;
    TEXT_OF(&t, name);
    text_join(&t, place, ENDING, NULL);
    return paths_join(out, folder, name);
}

int jobfile_write(const char *folder, const char *place,
                  const msg_job_info *info)
{
    char path[PATH_CAP];
    uint8_t raw[JOBFILE_BYTES];
    int len =
        msg_encode_plain(SPAN_ARRAY(raw), cmdop_agent_v1_JobInfo_fields, info);
    int err = len < 0 ? len : path_of(path, folder, place);
    if (err == OK)
        err = port_keep_folder(folder);
    return err == OK ? port_keep_write(path, view_of(raw, (size_t)len)) : err;
}

int jobfile_read(const char *folder, const char *place, msg_job_info *info)
{
    char path[PATH_CAP];
    uint8_t raw[JOBFILE_BYTES];
    int err = path_of(path, folder, place);
    int len = err == OK ? port_keep_read(path, false, SPAN_ARRAY(raw)) : err;
    if (len == ERR_TOO_BIG)
        return ERR_DAMAGED;
    if (len < 0)
        return len;
    *info = (msg_job_info)cmdop_agent_v1_JobInfo_init_zero;
    if (msg_decode(view_of(raw, (size_t)len), cmdop_agent_v1_JobInfo_fields,
                   info) != OK ||
        info->id[0] == '\0')
        return ERR_DAMAGED;
    return OK;
}

void jobfile_remove(const char *folder, const char *place)
{
    char path[PATH_CAP];
    if (path_of(path, folder, place) == OK)
        (void)port_keep_remove(path);
}

bool jobfile_is(const char *name, char *place)
{
    size_t len = strlen(name);
    if (len != HOLD_ID_CAP - 1 + strlen(ENDING) ||
        strcmp(name + HOLD_ID_CAP - 1, ENDING) != 0)
        return false;
    memcpy(place, name, HOLD_ID_CAP - 1);
    place[HOLD_ID_CAP - 1] = '\0';
    return true;
}
