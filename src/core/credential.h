/*
 * What an operator knows of relays: <config>/credentials.json, mode 0600.
 *
 *     { "version": 1,
 *       "servers": [ { "name", "address", "pin", "token", "user" }, ... ],
 *       "current": "name" }
 *
 * address is "HOST:PORT" (core/joinstr.h), pin the relay's public key in
 * base64url, token the bearer token, empty after a logout; current is empty
 * when no server is chosen. Every name is there, no other is, and no server
 * stands twice: else the file is damaged, and the sentence says what to do.
 */
#ifndef CORE_CREDENTIAL_H
#define CORE_CREDENTIAL_H

#include "base/text.h"
#include "limits.h"

enum {
    CREDENTIAL_SERVERS_MAX = 8,
    CREDENTIAL_ADDRESS_CAP = 264, /* [host] of 255, ':', port, end */
    CREDENTIAL_TOKEN_CAP = 128,   /* mesh.options: Proof.token */
    CREDENTIAL_PIN_LEN = 32,
};

/* One server. Holds a secret. */
struct credential {
    char name[NAME_CAP]; /* what people call it; 1 to 63 bytes */
    char address[CREDENTIAL_ADDRESS_CAP];
    uint8_t pin[CREDENTIAL_PIN_LEN];
    char token[CREDENTIAL_TOKEN_CAP]; /* empty: not logged in */
    char user[NAME_CAP];              /* may be empty */
};

struct credentials {
    struct credential server[CREDENTIAL_SERVERS_MAX];
    size_t count;
    char current[NAME_CAP]; /* empty: none */
};

/*
 * Read the file; a missing one is an empty list.
 * out   written on success only; the caller wipes it
 * why   an empty text; gets a sentence for people on failure
 * Returns OK; ERR_DAMAGED when it is not as described or others may read it;
 * ERR_UNSUPPORTED when a later version wrote it; ERR_RANGE when the path is
 * too long; or what the port says.
 */
int credential_load(const char *config_dir, struct credentials *out,
                    struct text *why);

/* Replace the file, and make its folder; OK, ERR_RANGE, or what the port
 * says, with a sentence. Two programs that load, change and save at the same
 * time: the later wins. */
int credential_save(const char *config_dir, const struct credentials *c,
                    struct text *why);

/* A server by name, or the current one; NULL when there is none. Valid until
 * the next upsert or remove. */
const struct credential *credential_find(const struct credentials *c,
                                         const char *name);
const struct credential *credential_current(const struct credentials *c);

/* Add a server, or replace the one of that name. ERR_RANGE when a field is
 * not as described; ERR_LIMIT when the list is full. */
int credential_upsert(struct credentials *c, const struct credential *server);

/* Take a server out; when it was the current one, none is. ERR_NOT_FOUND. */
int credential_remove(struct credentials *c, const char *name);

/* Choose the current server; ERR_NOT_FOUND. */
int credential_use(struct credentials *c, const char *name);

void credential_wipe(struct credentials *c);

#endif
