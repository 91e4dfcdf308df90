/*
 * Authorities that this machine trusts, for the first contact with a relay
 * whose key is not known yet: a relay that is given as HOST:PORT alone, without
 * a join string. Its certificate is then validated (path, name, time), and the
 * Ed25519 key that it shows is pinned in what is stored; from then on only that
 * key counts, and no authority is asked again.
 *
 *     trust_load(&t, file, &why)              once, before dialling
 *     trust_host(host, &why)                  can this name be validated?
 *     uplink_cfg.trust = &t                   or trust_tls(&t, &tls_client_cfg)
 *     credential.pin = NULL
 *     welcomed: keep link.relay_key as the pin, and set credential.pin to it
 *               before another connection is made
 *
 * Where they come from: `file`, or $CMDOP_CA_FILE, or the first of the usual
 * places of the system. What is named must be good in every block; of the
 * system's bundle, blocks that we cannot use are counted and passed over.
 */
#ifndef CORE_TRUST_H
#define CORE_TRUST_H

#include "base/text.h"
#include "limits.h"
#include "transport/tls.h"

#define TRUST_ANCHORS_MAX 512          /* a system has about 140 */
#define TRUST_BYTES       (256 * 1024) /* their names and keys: about 85 KB */

struct trust {
    br_x509_trust_anchor anchor[TRUST_ANCHORS_MAX];
    size_t count;
    size_t skipped;      /* of the system's */
    char from[PATH_CAP]; /* the file that was read */
    uint8_t block[TRUST_BYTES];
    size_t used;
};

/*
 * Read the authorities; a large struct, so a static one.
 * file   what --ca-file named; NULL: $CMDOP_CA_FILE, or the system's
 * why    an empty text; gets a sentence for people on failure
 * Returns OK; ERR_NOT_FOUND; ERR_DAMAGED; ERR_LIMIT when there are more than
 * fit; or what the port says.
 */
int trust_load(struct trust *t, const char *file, struct text *why);

/*
 * Can a certificate be validated for this host, here and now? Not for a bare
 * address (ERR_UNSUPPORTED), and not by a clock that cannot be right
 * (ERR_RANGE); the sentence tells the remedy.
 */
int trust_host(const char *host, int64_t now_s, struct text *why);

/* Validate by these authorities and by this machine's clock. */
void trust_tls(const struct trust *t, struct tls_client_cfg *cfg);

#endif
