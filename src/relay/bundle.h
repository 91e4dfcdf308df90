/*
 * A backup of a relay as one file: the store's copy and the keys beside it.
 * Numbers are big-endian.
 *
 *     8   "cmdopbak"
 *     4   version, 1
 *     8   when it was made, Unix ms
 *     4   how many files follow
 *         1   length of the name
 *         n   name, one of bundle_name()
 *         8   length
 *         n   content
 *    32   SHA-256 of all that stands before
 *
 * Pure: reading keeps views into what was given, writing goes to a writer.
 */
#ifndef RELAY_BUNDLE_H
#define RELAY_BUNDLE_H

#include "base/bytes.h"

#define BUNDLE_VERSION   1
#define BUNDLE_FILES_MAX 7
#define BUNDLE_NAME_CAP  16
/* What a bundle needs beside the files themselves, at most. */
#define BUNDLE_OVERHEAD  (24 + BUNDLE_FILES_MAX * (9 + BUNDLE_NAME_CAP) + 32)

/* The n-th name that may stand in a bundle, "server.db" first, "relay.key"
 * second; NULL from BUNDLE_FILES_MAX on. These two must be there. */
const char *bundle_name(size_t n);

/* May nobody but its owner read the n-th file where it lies. */
bool bundle_is_secret(size_t n);

struct bundle {
    int64_t made_ms;
    struct view file[BUNDLE_FILES_MAX]; /* by the number of its name */
    bool has[BUNDLE_FILES_MAX];
};

/*
 * in    untrusted; as large as it likes
 * out   written on success only; points into `in`
 * OK; ERR_DAMAGED: not a backup, cut, changed, or with a name twice or one
 * that is none of ours; ERR_VERSION: of a newer program.
 */
int bundle_read(struct view in, struct bundle *out);

/* All of it into `w`; w->err tells ERR_FULL. */
void bundle_write(struct writer *w, const struct bundle *b);

#endif
