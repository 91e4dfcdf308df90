/* A session as a file; see save.h. */
#include "cli/save.h"

#include <string.h>

#include "base/err.h"
#include "base/ring.h"
#include "cli/cast.h"
#include "cli/find.h"
#include "cli/fleet.h"
#include "cli/glance.h"
#include "cli/replay.h"
#include "core/session.h"

/* A byte of output is six characters of JSON at most; and the events around
 * them. */
#define FILE_MAX   (8 * (size_t)SESSION_RING)
#define LINES      100 /* shown by restore */
#define LINES_MAX  1000000
#define READ_BYTES (2 * CAST_LINE_IN)
#define SHOW_BYTES 4096

/* ---- save ------------------------------------------------------------------------- */

struct wanted {
    const char *id;
    msg_session_info info;
    bool found;
};

static void on_record(void *ctx, const struct fleet_machine *m,
                      struct view record)
{
    struct wanted *w = ctx;
    msg_session_info s;
    (void)m;
    if (!find_session_decode(record, &s) || strcmp(s.id, w->id) != 0)
        return;
    w->info = s;
    w->found = true;
}

static int describe(const struct cmd_env *env, const struct where *where,
                    const struct fleet_found *found, struct wanted *w)
{
    struct fleet_question q = {.host = fleet_target(&found->machine),
                               .method = "sessions.list",
                               .record = on_record,
                               .ctx = w};
    w->id = found->id;
    int status = fleet_ask(env, where, &q);
    if (status == CMD_OK && !w->found) {
        cmd_say("the session ended meanwhile", NULL);
        status = CMD_FAILED;
    }
    return status;
}

static struct cast_head head_of(const struct glance *g,
                                const struct fleet_machine *m,
                                const msg_session_info *s)
{
    struct cast_head h = {
        .width = s->cols >= 1 && s->cols <= CAST_SIDE_MAX ? s->cols : 80,
        .height = s->rows >= 1 && s->rows <= CAST_SIDE_MAX ? s->rows : 24,
        .timestamp_s = s->created_ms / 1000,
        .first_offset = g->first,
        .bytes = g->len,
        .saved_ms = port_wall_ms() / 1000 * 1000,
    };
    STR_COPY(h.title, s->name);
    STR_COPY(h.session_id, s->id);
    STR_COPY(h.machine, m->name);
    STR_COPY(h.user, s->user);
    STR_COPY(h.command, s->command);
    return h;
}

/* The whole file in `out`; its length or a code. */
static int write_cast(const struct cast_head *h, struct view bytes,
                      struct span out)
{
    struct cast_writer w = {.tail_len = 0};
    int n = cast_write_head(h, out);
    size_t len = n > 0 ? (size_t)n : 0;
    while (n >= 0 && bytes.len > 0) {
        size_t used = 0;
        n = cast_write_output(
            &w, bytes, (struct span){out.ptr + len, out.len - len}, &used);
        len += n > 0 ? (size_t)n : 0;
        bytes = view_from(bytes, used);
    }
    if (n >= 0)
        n = cast_write_end(&w, (struct span){out.ptr + len, out.len - len});
    return n < 0 ? n : (int)(len + (size_t)n);
}

static int put_file(const char *to, struct view data)
{
    if (strcmp(to, "-") == 0) {
        cmd_out(data);
        return CMD_OK;
    }
    /* A device or a pipe of that name would be replaced, too. */
    bool is_file = port_keep_read(to, false, (struct span){0}) != ERR_DENIED;
    if (is_file && port_keep_write(to, data) == OK)
        return CMD_OK;
    cmd_say(port_why(), is_file ? "" : "; --to - writes to a pipe", NULL);
    return CMD_FAILED;
}

static int save(const struct cmd_env *env, const struct where *where,
                const char *ref, const char *to)
{
    static struct glance g;
    static struct fleet_found found;
    static struct wanted w;
    int status = find_session(env, where, ref, &found);
    if (status == CMD_OK)
        status = describe(env, where, &found, &w);
    if (status != CMD_OK)
        return status;
    g.target = fleet_target(&found.machine);
    g.session = found.id;
    g.room = port_memory(SESSION_RING);
    status = glance_run(&g, env, where);
    if (status != CMD_OK)
        return status;
    struct cast_head head = head_of(&g, &found.machine, &w.info);
    struct span out = port_memory(FILE_MAX);
    int n = write_cast(&head, view_of(g.room.ptr, g.len), out);
    if (n < 0) {
        cmd_say("the session does not fit a file: ", err_str(n), NULL);
        return CMD_FAILED;
    }
    return put_file(to, view_of(out.ptr, (size_t)n));
}

int save_run(const struct cmd *cmd, const struct cmd_env *env, int argc,
             char **argv)
{
    struct where where = {0};
    const char *to = NULL;
    const struct cmd_opt opts[] = {{"--to", NULL, NULL, &to},
                                   WHERE_OPTS(where)};
    int rest;
    int status = cmd_options(cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (argc != 2 || to == NULL)
        return cmd_usage(cmd, "a session, and --to FILE (- is standard output)",
                         "");
    return save(env, &where, argv[1], to);
}

/* ---- restore ------------------------------------------------------------------------- */

struct restore {
    struct ring output; /* the last of it */
    struct cast_line line;
    uint8_t buf[READ_BYTES];
    size_t len;
    const char *path;
};

static int complain(const struct restore *r, const char *why)
{
    char number[32];
    struct text t;
    TEXT_OF(&t, number);
    text_u64(&t, r->line.number);
    cmd_say(r->path, ", line ", number, ": ", why, NULL);
    return CMD_FAILED;
}

static void keep(struct restore *r, struct view bytes)
{
    while (bytes.len > 0) {
        uint32_t some =
            bytes.len < r->output.cap ? (uint32_t)bytes.len : r->output.cap;
        struct span room = ring_push_space(&r->output, some);
        memcpy(room.ptr, bytes.ptr, room.len);
        ring_commit(&r->output, (uint32_t)room.len);
        bytes = view_from(bytes, room.len);
    }
}

static int take_line(struct restore *r, struct view line)
{
    if (line.len == 0)
        return CMD_OK;
    if (cast_read_line(line, &r->line) != OK)
        return complain(r, r->line.why);
    if (r->line.kind == CAST_OUTPUT)
        keep(r, r->line.output);
    return CMD_OK;
}

/* All whole lines in the buffer; at the end of the file the last as well. */
static int take_lines(struct restore *r, bool end)
{
    struct view all = view_of(r->buf, r->len);
    int status = CMD_OK;
    ptrdiff_t at;
    while (status == CMD_OK && (at = view_find(all, '\n')) >= 0) {
        status = take_line(r, view_first(all, (size_t)at));
        all = view_from(all, (size_t)at + 1);
    }
    if (status == CMD_OK && end) {
        status = take_line(r, all);
        all = VIEW_NONE;
    }
    if (status == CMD_OK && all.len == sizeof(r->buf))
        status = complain(r, "the line is too long");
    if (all.len > 0)
        memmove(r->buf, all.ptr, all.len);
    r->len = all.len;
    return status;
}

static int read_file(struct restore *r)
{
    int file = port_file_open(r->path);
    if (file < 0) {
        cmd_say(r->path, ": ", port_why(), NULL);
        return CMD_FAILED;
    }
    int status = CMD_OK, n = 0;
    while (status == CMD_OK && n >= 0) {
        n = port_recv(file,
                      (struct span){r->buf + r->len, sizeof(r->buf) - r->len});
        if (n > 0)
            r->len += (size_t)n;
        if (n >= 0 || n == ERR_CLOSED)
            status = take_lines(r, n < 0);
        else
            status = complain(r, port_why());
    }
    port_close(file);
    if (status == CMD_OK && r->line.number == 0)
        status = complain(r, "the file is empty");
    return status;
}

/* Where the last `lines` lines begin. */
static uint64_t start_of(const struct ring *out, uint64_t lines)
{
    uint64_t at = out->tail;
    while (lines > 0 && at > out->head) {
        bool ends = ring_at(out, at - 1).ptr[0] == '\n';
        if (ends && at != out->tail && lines-- <= 1)
            break;
        at--;
    }
    return at;
}

static void show_head(const struct cast_head *h)
{
    char buf[600];
    struct text t;
    TEXT_OF(&t, buf);
    text_str(&t, "session ");
    text_safe(&t, view_str(h->session_id[0] != '\0' ? h->session_id : "-"));
    text_str(&t, h->title[0] != '\0' ? ", " : "");
    text_safe(&t, view_str(h->title));
    text_str(&t, h->machine[0] != '\0' ? ", on " : "");
    text_safe(&t, view_str(h->machine));
    text_str(&t, h->user[0] != '\0' ? ", by " : "");
    text_safe(&t, view_str(h->user));
    text_str(&t, "; ");
    text_u64(&t, h->width);
    text_str(&t, "x");
    text_u64(&t, h->height);
    if (h->timestamp_s > 0) {
        text_str(&t, "; begun ");
        text_time(&t, h->timestamp_s * 1000);
    }
    if (h->saved_ms > 0) {
        text_str(&t, ", saved ");
        text_time(&t, h->saved_ms);
    }
    if (h->command[0] != '\0') {
        text_str(&t, "; ");
        text_safe(&t, view_str(h->command));
    }
    text_str(&t, "\n");
    cmd_note(buf);
}

/* It is somebody's output of long ago: the terminal answers nothing of it. */
static void show(const struct restore *r, uint64_t lines)
{
    static struct replay replay;
    uint8_t buf[SHOW_BYTES + REPLAY_HELD];
    const struct ring *out = &r->output;
    show_head(&r->line.head);
    replay_init(&replay);
    for (uint64_t at = start_of(out, lines); at < out->tail;) {
        struct writer shown;
        struct view v = view_first(ring_at(out, at), SHOW_BYTES);
        writer_init(&shown, SPAN_ARRAY(buf));
        replay_feed(&replay, v, &shown);
        cmd_out(writer_view(&shown));
        at += v.len;
    }
    if (port_is_tty(PORT_STDOUT))
        cmd_out(view_str("\033[?25h\033[0m\r\n"));
}

int restore_run(const struct cmd *cmd, const struct cmd_env *env, int argc,
                char **argv)
{
    static struct restore r;
    const char *lines_text = NULL;
    uint64_t lines = LINES;
    const struct cmd_opt opts[] = {{"--from", NULL, NULL, &r.path},
                                   {"--lines", "-n", NULL, &lines_text}};
    int rest;
    (void)env;
    int status = cmd_options(cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (r.path == NULL)
        return cmd_usage(cmd, "--from FILE is missing", "");
    if (argc != 1)
        return cmd_usage(cmd, "a file is all it takes: ", argv[1]);
    if (lines_text != NULL &&
        text_parse_u64(view_str(lines_text), LINES_MAX, &lines) != OK)
        return cmd_usage(cmd, "that is no number of lines: ", lines_text);
    ring_init(&r.output, port_memory(SESSION_RING), 0);
    status = read_file(&r);
    if (status == CMD_OK)
        show(&r, lines);
    return status;
}
