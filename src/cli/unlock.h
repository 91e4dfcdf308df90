/*
 * The attach password of a machine, from the side that has it: what the tool
 * does when a machine answers CODE_PIN, and what `cmdop connect password` asks
 * for.
 *
 *     password.key -> the machine's key is the known one -> a token that is
 *     kept? -> else the password: CMDOP_AGENT_PASSWORD, --password-file, or
 *     typed here -> password.key again, for a fresh challenge -> sealed ->
 *     password.unlock -> token, kept for a day
 *
 * All of it happens in the client's loop, so the link stays alive while
 * somebody types.
 */
#ifndef CLI_UNLOCK_H
#define CLI_UNLOCK_H

#include "core/client.h"
#include "core/lock.h"
#include "core/secret.h"
#include "core/unlockfile.h"

enum unlock_stage {
    UNLOCK_IDLE,
    UNLOCK_KEY,    /* asked for the key */
    UNLOCK_TYPING, /* a person types */
    UNLOCK_AGAIN,  /* asked for the key, with the password at hand */
    UNLOCK_ORDER,  /* the secret is on its way */
};

struct unlock {
    /* What is asked for. */
    struct client *client;
    const char *target;
    const char *file; /* --password-file, or NULL */
    bool silent;      /* nobody is asked anything */
    bool accept_key;  /* whatever was known of it */
    msg_password_order order;
    struct secret next; /* set: the new password */
    /* For an owner who reads standard input itself: the keyboard is wanted,
     * or no longer; give its bytes to unlock_keys. NULL: it is read here. */
    void (*keyboard)(void *ctx, bool wanted);
    /* It is over. OK: `has_token`, or there is no password, or the order was
     * carried out. Else a code, and two sentences. */
    void (*done)(void *ctx, msg_code code, const char *message,
                 const char *remedy);
    void *ctx;

    /* How it goes. */
    enum unlock_stage stage;
    bool has_token;
    bool was_refused; /* the token was sent and is no good */
    uint8_t token[LOCK_TOKEN_LEN];
    msg_password_key key; /* once it was checked */
    bool is_new;          /* its key was never seen before */
    struct question question;
    struct span buf;
    char nonce[33];
    bool got_record;
    msg_password_answer answer;
    struct secret password;
    uint32_t typed; /* how often */
    int row;        /* of the keyboard, while it is read here */
};

/* Fill in what is asked for; carves QUESTION_RING. The target lives on. */
void unlock_init(struct unlock *u, struct arena *a, struct client *c,
                 const char *target);

/* Is there a token from an earlier call? Then the first Open has it. */
void unlock_recall(struct unlock *u);

/* The bytes for `unlock` of an Open: 32 or none. */
struct view unlock_view(const struct unlock *u);

/* CODE_PIN came, or there is an order. `done` follows. The link is up. */
void unlock_begin(struct unlock *u);
bool unlock_is_busy(const struct unlock *u);

/* What was typed while the keyboard was wanted; the rest of the bytes behind
 * the line is nobody's. */
void unlock_keys(struct unlock *u, struct view keys);

void unlock_wipe(struct unlock *u);

#endif
