/*
 * One secret in the desktop's keyring: the Secret Service of freedesktop.org,
 * asked through the program secret-tool of libsecret, so that this program
 * speaks no D-Bus. The secret goes by standard input and output, never by an
 * argument. An item is found by its attributes:
 *
 *     service   "cmdop"
 *     folder    the configuration folder whose sign-ins it is for
 *
 * A locked keyring asks its owner for a password in a window of its own; that
 * may take KEYRING_MS. Nothing of this may be called while a loop has work
 * that cannot wait.
 */
#ifndef CORE_KEYRING_H
#define CORE_KEYRING_H

#include "base/text.h"

#define KEYRING_MS 60000

/*
 * The secret of a folder.
 * out   a text without its end; written on success only
 * why   gets a sentence on failure, but for ERR_NOT_FOUND
 * Returns its length; ERR_NOT_FOUND: there is no such item; ERR_UNSUPPORTED:
 * no keyring here (no session bus, or no secret-tool); ERR_TOO_BIG; ERR_TIMEOUT;
 * ERR_IO when the keyring refuses, with its own words.
 */
int keyring_get(const char *folder, struct span out, struct text *why);

/* Keep a secret, in the place of an earlier one. OK, or as above. */
int keyring_put(const char *folder, struct view secret, struct text *why);

/* Take it out; one that is not there is fine. */
int keyring_remove(const char *folder, struct text *why);

#endif
