/* A machine as JSON, the same from every verb that lists machines. */
#ifndef CLI_ROW_H
#define CLI_ROW_H

#include "codec/msg.h"

/* Print it; the first opens the document and its list, which end by "]}". */
void row_machine(const msg_machine_info *m, bool first);

/* A relay that does not tell the state knows only active ones. */
const char *row_state(const msg_machine_info *m);

#endif
