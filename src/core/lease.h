/*
 * The lease of a machine's identity: which of its holders this folder is. A
 * copied state folder has the same key, so the key alone cannot tell two
 * machines apart. A relay therefore counts an epoch with each new agent
 * process that it lets in; the agent keeps the number here and shows it when
 * it comes back. Whoever shows an old one is a copy, or has been copied.
 *
 *     lease          offset
 *     "CMDOPLS" 1         0   magic and version, 8 bytes
 *     relay               8   public key of the relay that gave it, 32 bytes
 *     epoch              40   8 bytes, big-endian; not 0
 *     check              48   the first 8 bytes of SHA-256 of all before it
 *
 * Mode 0600, in the state folder, replaced as a whole. It is written before
 * the first Heartbeat of a link, and only when the number changed: an agent
 * that comes back in the same process writes nothing.
 */
#ifndef CORE_LEASE_H
#define CORE_LEASE_H

#include "base/text.h"

enum { LEASE_RELAY_LEN = 32, LEASE_INSTANCE_LEN = 16 };

struct lease {
    uint8_t relay[LEASE_RELAY_LEN];
    uint64_t epoch; /* as it is on disk; 0: none yet */
};

/*
 * Read the lease that `relay` gave.
 * out   written always; with epoch 0 unless OK was found there
 * why   an empty text; gets a sentence for people on failure
 * Returns OK, also without a file or with another relay's; ERR_DAMAGED;
 * ERR_UNSUPPORTED when a later version wrote it; ERR_RANGE when the path is
 * too long; or what the port says.
 */
int lease_load(const char *state_dir, const uint8_t relay[LEASE_RELAY_LEN],
               struct lease *out, struct text *why);

/* Keep a number, if it is another one than before. OK, or what the port says,
 * with a sentence; then the file and *l are as they were. */
int lease_keep(const char *state_dir, struct lease *l, uint64_t epoch,
               struct text *why);

/* Forget it: for a new identity. OK, also when there is none. */
int lease_remove(const char *state_dir, struct text *why);

#endif
