/*
 * What a machine knows of its relay: <state>/agent.json, written by
 * `cmdop join`, read by the agent. No secret is in it.
 *
 *     { "version": 1, "host", "port", "pin", "machine_id", "fleet_id",
 *       "name", "joined_at" }
 *
 * pin is the relay's public key in base64url, port a number, the others are
 * texts. Every name is there and no other is: else the file is damaged.
 */
#ifndef CORE_AGENTFILE_H
#define CORE_AGENTFILE_H

#include "base/text.h"
#include "limits.h"

enum { AGENTFILE_PIN_LEN = 32, AGENTFILE_TIME_CAP = 21 };

struct agentfile {
    char host[256]; /* core/joinstr.h; IPv6 without brackets */
    uint16_t port;  /* 1 to 65535 */
    uint8_t pin[AGENTFILE_PIN_LEN];
    char machine_id[UUID_CAP];          /* UUID in lower case */
    char fleet_id[UUID_CAP];            /* letters, digits, '-' and '_' */
    char name[NAME_CAP];                /* in the fleet; not empty */
    char joined_at[AGENTFILE_TIME_CAP]; /* text_time: "...T02:34:56Z" */
};

/*
 * Read the file.
 * out   written on success only
 * why   an empty text; gets a sentence for people on failure, with what to do
 * Returns OK; ERR_NOT_FOUND when this machine has not joined; ERR_DAMAGED;
 * ERR_UNSUPPORTED when a later version wrote it; ERR_RANGE when the path is
 * too long; or what the port says.
 */
int agentfile_load(const char *state_dir, struct agentfile *out,
                   struct text *why);

/*
 * Replace the file, and make its folder. Returns OK; ERR_RANGE when a field
 * is not as described, so nothing is written that could not be read; or what
 * the port says; with a sentence.
 */
int agentfile_save(const char *state_dir, const struct agentfile *a,
                   struct text *why);

#endif
