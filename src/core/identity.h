/*
 * The identity of a machine: one Ed25519 key, made at the first start and
 * kept until it is replaced. Its seed lies sealed in <state>/identity; the key of the
 * seal lies in <config>/machine.key, so that a copy of one folder alone is
 * worth nothing. Both have mode 0600.
 *
 *     identity       offset
 *     "CMDOPID" 1         0   magic and version, 8 bytes, authenticated
 *     nonce               8   24 random bytes
 *     ciphertext         32   the seed, 32 bytes
 *     tag                64   16 bytes; XChaCha20-Poly1305, crypto/seal.h
 *
 *     machine.key             32 random bytes
 *
 * A damaged identity is never replaced by a new one: the machine would become
 * a stranger to its fleet without a word. Only when no identity file exists
 * is one made. The key is written first, so that a start which dies between
 * the two files leaves a key without identity; the next start uses it.
 *
 * A key is replaced in four steps, of which each may be the last before the
 * power goes (docs/decisions/0019):
 *
 *     identity.next is written            the relay knows the old key
 *     the relay is shown both keys        it knows the new one, and which it
 *                                         replaced
 *     identity becomes a copy of it       both files hold the new key
 *     identity.next is removed            done
 *
 * As long as identity.next holds another key than identity, every connection
 * shows both, and the relay says yes again. identity.old is what a reset took
 * away. All three are sealed as identity is, and have its mode.
 */
#ifndef CORE_IDENTITY_H
#define CORE_IDENTITY_H

#include "base/text.h"
#include "crypto/sign.h"

/* Holds a secret: identity_wipe. */
struct identity {
    struct sign_key key;
    char fingerprint[SIGN_FINGERPRINT_CAP];
    /* The key that shall replace it, once the relay has said yes. */
    bool has_next;
    struct sign_key next;
    char next_fingerprint[SIGN_FINGERPRINT_CAP];
};

/*
 * Read the identity, and the key that shall replace it if there is one.
 * state_dir, config_dir   see core/paths.h
 * out   written on success only; the caller wipes it
 * why   an empty text; gets a sentence for people on failure, with what to do
 * Returns OK; ERR_NOT_FOUND when there is no identity file; ERR_DAMAGED when
 * a file is cut, changed, readable by others, or when machine.key is missing;
 * ERR_UNSUPPORTED when a later version wrote it; ERR_RANGE when a path is too
 * long; or what the port says (ERR_DENIED, ERR_IO).
 */
int identity_load(const char *state_dir, const char *config_dir,
                  struct identity *out, struct text *why);

/* The same, but where no identity file exists, make the folders and the two
 * files; also ERR_NO_SPACE. Only one process at a time may be here: the
 * caller holds the lock of the state folder. */
int identity_load_or_make(const char *state_dir, const char *config_dir,
                          struct identity *out, struct text *why);

/*
 * Make the key that shall replace the one in *id, and keep it; one that is
 * there already stays. OK, or as above; then *id is unchanged. As with making,
 * the caller holds the lock of the state folder.
 */
int identity_next_make(const char *state_dir, const char *config_dir,
                       struct identity *id, struct text *why);

/* The relay knows id->next from now on: it becomes the identity. On failure
 * nothing is lost and *id is unchanged; call it again. */
int identity_next_take(const char *state_dir, struct identity *id,
                       struct text *why);

/*
 * Take the identity away, sound or damaged: the file stays beside as
 * identity.old, in place of an older one. OK; ERR_NOT_FOUND when there is
 * none. Interrupted, it can be repeated.
 */
int identity_set_aside(const char *state_dir, struct text *why);

void identity_wipe(struct identity *id);

#endif
