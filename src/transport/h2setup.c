/* Memory, options and settings of nghttp2; see h2setup.h. */
#include "transport/h2setup.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

/* Windows never limit us: bodies are handed on at once. nghttp2 grants more
 * when half is used, so this is one small frame per 4 MiB. */
#define WINDOW (8 * 1024 * 1024)

#define ACKS_WAITING_MAX 64 /* PING and SETTINGS unanswered: a flood */
#define SETTINGS_MAX     32 /* entries of one SETTINGS frame */
#define RESET_BURST      32 /* streams reset by the peer at once, */
#define RESET_RATE       4  /* and then per second */

static void *mem_get(size_t size, void *a)
{
    return alloc_get(a, size);
}

static void mem_put(void *ptr, void *a)
{
    alloc_put(a, ptr);
}

static void *mem_get_zero(size_t count, size_t size, void *a)
{
    if (size > 0 && count > SIZE_MAX / size)
        return NULL;
    void *ptr = alloc_get(a, count * size);
    if (ptr != NULL)
        memset(ptr, 0, count * size);
    return ptr;
}

static void *mem_resize(void *ptr, size_t size, void *a)
{
    return alloc_resize(a, ptr, size);
}

/* ---- options ------------------------------------------------------------- */

static nghttp2_session_callbacks *callbacks;
static nghttp2_option *options;

static void set_options(nghttp2_option *o)
{
    nghttp2_option_set_max_deflate_dynamic_table_size(o, 0);
    nghttp2_option_set_max_send_header_block_length(o, H2SETUP_HEADERS_MAX);
    nghttp2_option_set_max_outbound_ack(o, ACKS_WAITING_MAX);
    nghttp2_option_set_max_settings(o, SETTINGS_MAX);
    nghttp2_option_set_max_reserved_remote_streams(o, 0);
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_stream_reset_rate_limit(o, RESET_BURST, RESET_RATE);
}

/* see h2setup.h */
int h2setup_prepare(void (*set)(nghttp2_session_callbacks *c))
{
    if (callbacks != NULL && options != NULL)
        return OK;
    if (nghttp2_session_callbacks_new(&callbacks) != 0 ||
        nghttp2_option_new(&options) != 0)
        return ERR_LIMIT;
    set(callbacks);
    set_options(options);
    return OK;
}

/* ---- sessions ------------------------------------------------------------ */

static const nghttp2_settings_entry settings[] = {
    {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0},
    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW},
    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2SETUP_HEADERS_MAX},
    {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1},
    {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}, /* clients only: stays last */
};

#define SETTINGS_COUNT (sizeof(settings) / sizeof(settings[0]))

static int session_new(nghttp2_session **out, bool is_server, struct alloc *a,
                       void *user)
{
    nghttp2_mem mem = {a, mem_get, mem_put, mem_get_zero, mem_resize};
    assert(callbacks != NULL && options != NULL); /* h2_prepare was called */
    if (is_server)
        return nghttp2_session_server_new3(out, callbacks, user, options, &mem);
    return nghttp2_session_client_new3(out, callbacks, user, options, &mem);
}

/* see h2setup.h */
int h2setup_session(nghttp2_session **out, bool is_server, struct alloc *a,
                    void *user)
{
    int err = session_new(out, is_server, a, user);
    if (err != 0)
        return err;
    err = nghttp2_submit_settings(*out, NGHTTP2_FLAG_NONE, settings,
                                  is_server ? SETTINGS_COUNT - 1
                                            : SETTINGS_COUNT);
    if (err != 0)
        return err;
    return nghttp2_session_set_local_window_size(*out, NGHTTP2_FLAG_NONE, 0,
                                                 WINDOW);
}
