/*
 * The file of a command that is kept: what it is and how it ended, as an
 * encoded JobInfo. It says that an id was used, whatever became of the
 * keeper.
 */
#ifndef CORE_JOBFILE_H
#define CORE_JOBFILE_H

#include "codec/msg.h"

#define JOBFILE_BYTES cmdop_agent_v1_JobInfo_size

/* `place` is the name of the keeper's socket in `folder`. OK, or as
 * port_keep_write and port_keep_read; ERR_DAMAGED. */
int jobfile_write(const char *folder, const char *place,
                  const msg_job_info *info);
int jobfile_read(const char *folder, const char *place, msg_job_info *info);
void jobfile_remove(const char *folder, const char *place);

/* Is this the name of such a file? Then *place (33 bytes) is whose. */
bool jobfile_is(const char *name, char *place);

#endif
