/* Finding keepers; see finder.h. */
#include "core/finder.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/hold.h"
#include "core/paths.h"

#define AGAIN_MIN_MS 500
#define AGAIN_MAX_MS 60000

static void on_timer(void *ctx, uint64_t now_ms)
{
    (void)now_ms;
    finder_look(ctx);
}

void finder_init(struct finder *f, struct loop *loop, const char *folder,
                 const struct finder_ops *ops, void *ctx)
{
    *f =
        (struct finder){.loop = loop, .folder = folder, .ops = ops, .ctx = ctx};
    f->timer = loop_timer_add(loop, on_timer, f);
    backoff_init(&f->backoff, AGAIN_MIN_MS, AGAIN_MAX_MS);
}

static void look_later(struct finder *f)
{
    uint32_t random;
    port_entropy((struct span){(uint8_t *)&random, sizeof(random)});
    f->missed = true;
    loop_arm(f->loop, f->timer,
             loop_now(f->loop) + backoff_next(&f->backoff, random));
}

void finder_miss(struct finder *f, const char *place)
{
    log_warn("keeper.missed", place);
    look_later(f);
}

static void on_name(void *ctx, const char *name)
{
    struct finder *f = ctx;
    char path[PATH_CAP];
    if (strlen(name) != HOLD_ID_CAP - 1 || f->ops->knows(f->ctx, name))
        return;
    int err = f->ops->adopt(f->ctx, name);
    if (err == OK || err == ERR_NOT_FOUND)
        return;
    if (err != ERR_REFUSED || paths_join(path, f->folder, name) != OK) {
        finder_miss(f, name);
        return;
    }
    if (f->ops->gone == NULL || f->ops->gone(f->ctx, name))
        (void)port_keep_remove(path);
}

void finder_look(struct finder *f)
{
    f->missed = false;
    int err = port_folder_list(f->folder, on_name, f);
    if (err != OK && err != ERR_NOT_FOUND)
        look_later(f);
    if (f->missed)
        return;
    backoff_reset(&f->backoff);
    if (f->ops->complete != NULL)
        f->ops->complete(f->ctx);
}
