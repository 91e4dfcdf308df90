/*
 * Ids that anybody chose for a command: as a model of single characters says,
 * and never anything that could leave a folder.
 */
#include "core/job.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char id[256];
    if (size >= sizeof id)
        return 0;
    size_t len = bytes_to_str(id, sizeof id, view_of(data, size));
    bool ok = len > 0 && strlen(id) >= 1 && strlen(id) <= 64;
    for (const char *c = id; *c != '\0'; c++)
        ok = ok && (isalnum((uint8_t)*c) || strchr("._-", *c) != NULL);
    assert(job_id_ok(id) == ok);
    if (ok)
        assert(strpbrk(id, "/:\\ \n") == NULL && strlen(id) < JOB_ID_CAP);
    return 0;
}
