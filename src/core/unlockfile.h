/*
 * What an operator's tool remembers of machines with an attach password: the
 * token that one gave, for a day, in the runtime folder; and the machine's
 * key, for ever, in the configuration folder. All files have mode 0600.
 *
 *     <runtime>/unlock-HEX      HEX: of the relay's pin and the machine's id
 *     "CMDOPUL1"  token (32)  until, Unix ms (8)  length, id  length, name
 *
 *     <config>/known/HEX        HEX: of the pin and of what was typed
 *     "CMDOPMK1"  key (32)  since, Unix ms (8)  length, what was typed
 *
 * The key is pinned by what a person types, as ssh does it: the relay says
 * which machine that is, so an id would prove nothing.
 */
#ifndef CORE_UNLOCKFILE_H
#define CORE_UNLOCKFILE_H

#include "base/text.h"
#include "core/lock.h"

struct unlock_token {
    uint8_t token[LOCK_TOKEN_LEN];
    int64_t until_ms;
    char machine_id[40];
    char name[80]; /* as it was typed */
};

/* OK, or an error: there is none that is still good. */
int unlockfile_load(const char *runtime_dir, const uint8_t pin[32],
                    const char *machine_id, int64_t wall_ms,
                    struct unlock_token *out);
/* The one whose id or name this is. */
int unlockfile_find(const char *runtime_dir, const uint8_t pin[32],
                    const char *word, int64_t wall_ms,
                    struct unlock_token *out);
/* A failure costs the person another question, no more. */
void unlockfile_save(const char *runtime_dir, const uint8_t pin[32],
                     const struct unlock_token *t);
void unlockfile_remove(const char *runtime_dir, const uint8_t pin[32],
                       const char *machine_id);
/* Each that is good, whatever its relay; those that are not are removed. The
 * token itself is wiped before. */
void unlockfile_list(const char *runtime_dir, int64_t wall_ms,
                     void (*each)(void *ctx, const struct unlock_token *t),
                     void *ctx);

/* OK: this key, since *since_ms. ERR_NOT_FOUND: never seen. ERR_PIN: it had
 * another. ERR_DAMAGED, or what the port says: nobody can know. */
int known_check(const char *config_dir, const uint8_t pin[32],
                const char *typed, const uint8_t key[32], int64_t *since_ms);
int known_keep(const char *config_dir, const uint8_t pin[32], const char *typed,
               const uint8_t key[32], int64_t wall_ms);

/* To and from bytes, for tests. */
#define UNLOCKFILE_BYTES (8 + 32 + 8 + 1 + 40 + 1 + 80)
int unlockfile_encode(const struct unlock_token *t,
                      uint8_t out[UNLOCKFILE_BYTES]);
int unlockfile_decode(struct view raw, struct unlock_token *out);

#endif
