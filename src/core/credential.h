/*
 * What an operator's tool knows of relays: <config>/credentials.json, mode
 * 0600.
 *
 *     { "version": 2, "key": "file" | "keyring", "box": "BOX" }
 *
 * BOX is base64url of a nonce (24 bytes), the sealed list and a tag (16
 * bytes): XChaCha20-Poly1305, crypto/seal.h, with "cmdop credentials 2 " and
 * the value of "key" authenticated in front. The key of the seal, 32 random
 * bytes, lies in another folder, <state>/credentials.key, or in the desktop's
 * keyring (core/keyring.h) in base64url. The list:
 *
 *     { "servers": [ { "name", "address", "pin",
 *                      "token", "token_expires", "refresh", "refresh_expires",
 *                      "user", "email", "user_id",
 *                      "fleet_id", "fleet" }, ... ],
 *       "current": "name" }
 *
 * address is "HOST:PORT" (core/joinstr.h), pin the relay's public key in
 * base64url; times are numbers, Unix milliseconds, 0 for none. current is
 * empty when no server is chosen. Every name is there, no other is, and no
 * server stands twice: else the file is damaged, and the sentence says what
 * to do.
 *
 * Version 1 had no seal: "name", "address", "pin", "token", "user" and
 * "current" in the clear. It is read, and written anew as version 2 at once.
 * docs/decisions/0017 tells what the seal is good for.
 */
#ifndef CORE_CREDENTIAL_H
#define CORE_CREDENTIAL_H

#include "base/text.h"
#include "core/paths.h"
#include "crypto/seal.h"
#include "limits.h"

enum {
    CREDENTIAL_SERVERS_MAX = 8,
    CREDENTIAL_ADDRESS_CAP = 264, /* [host] of 255, ':', port, end */
    CREDENTIAL_TOKEN_CAP = 128,   /* mesh.options: Proof.token */
    CREDENTIAL_PIN_LEN = 32,
    CREDENTIAL_EMAIL_CAP = 128, /* mesh.options: AuthToken.email */
    CREDENTIAL_ID_CAP = 40,
};

/* One server. Holds secrets. */
struct credential {
    char name[NAME_CAP]; /* what people call it; 1 to 63 bytes */
    char address[CREDENTIAL_ADDRESS_CAP];
    uint8_t pin[CREDENTIAL_PIN_LEN];
    char token[CREDENTIAL_TOKEN_CAP];   /* empty: not signed in */
    char refresh[CREDENTIAL_TOKEN_CAP]; /* empty: the token cannot be renewed */
    int64_t token_expires_ms;           /* Unix time; 0: never */
    int64_t refresh_expires_ms;         /* 0: not known */
    char user[NAME_CAP]; /* this and what follows: may be empty */
    char email[CREDENTIAL_EMAIL_CAP];
    char user_id[CREDENTIAL_ID_CAP];
    char fleet_id[CREDENTIAL_ID_CAP];
    char fleet[NAME_CAP];
};

/* Where the key of the seal is. */
enum credential_key { CREDENTIAL_KEY_FILE, CREDENTIAL_KEY_KEYRING };

struct credentials {
    struct credential server[CREDENTIAL_SERVERS_MAX];
    size_t count;
    char current[NAME_CAP]; /* empty: none */
    enum credential_key where;
    bool has_key; /* of the seal, once it was needed */
    uint8_t key[SEAL_KEY_LEN];
};

/*
 * Read the file; a missing one is an empty list.
 * out   written on success only; the caller wipes it
 * why   an empty text; gets a sentence for people on failure
 * Returns OK; ERR_DAMAGED when it is not as described, others may read it, or
 * its key is gone; ERR_UNREACHABLE when its key is in a keyring that cannot be
 * asked now; ERR_UNSUPPORTED when a later version wrote it; ERR_RANGE when a
 * path is too long; or what the port says.
 */
int credential_load(const struct paths *p, struct credentials *out,
                    struct text *why);

/* The same, where the key of the seal may be known from before (or NULL): an
 * answer of the keyring is then not waited for. */
int credential_load_again(const struct paths *p,
                          const struct credentials *known,
                          struct credentials *out, struct text *why);

/*
 * Replace the file, and make its folders and the key of the seal where they
 * are missing. What stands there already is not written again. After a
 * failure, or a power cut, there is the old list or the new one. OK,
 * ERR_RANGE, ERR_UNREACHABLE, or what the port says, with a sentence. Whoever
 * changes what he read holds the lock meanwhile, or the later wins.
 */
int credential_save(const struct paths *p, struct credentials *c,
                    struct text *why);

/* Remove the file and the key in its folder, readable or not. OK, also when
 * there was none; with a sentence otherwise. */
int credential_forget(const struct paths *p, struct text *why);

/*
 * The lock of the file, <config>/credentials.lock: held by one process at a
 * time while it reads, changes and saves. _try does not wait: ERR_BUSY.
 * _lock waits up to CREDENTIAL_LOCK_MS. With a sentence on failure.
 */
#define CREDENTIAL_LOCK_MS 20000
int credential_try_lock(const struct paths *p, struct text *why);
int credential_lock(const struct paths *p, struct text *why);
void credential_unlock(const struct paths *p);

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
