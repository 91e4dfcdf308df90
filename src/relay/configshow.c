/* `cmdop server config`: settings and where they came from; see config.h. */
#include "relay/config.h"

static void show_json(const struct config *c)
{
    static char buf[CONFIG_KEYS * (PATH_CAP * 6 + 128) + 4096];
    struct json_out o;
    json_begin(&o, buf, sizeof(buf));
    json_obj_begin(&o);
    json_key(&o, "file");
    json_str(&o, view_str(c->file));
    json_key(&o, "file_found");
    json_bool(&o, c->has_file);
    json_key(&o, "values");
    json_obj_begin(&o);
    for (int i = 0; i < CONFIG_KEYS; i++) {
        const struct config_value *v = &c->value[i];
        json_key(&o, config_key_name((enum config_key)i));
        json_obj_begin(&o);
        json_key(&o, "value");
        if (v->origin == CONFIG_UNSET)
            json_null(&o);
        else
            json_str(&o, view_str(v->text));
        json_key(&o, "origin");
        json_str(&o, view_str(config_origin_name(v->origin)));
        if (v->origin == CONFIG_FILE) {
            json_key(&o, "line");
            json_u64(&o, v->line);
        }
        json_obj_end(&o);
    }
    json_obj_end(&o);
    json_obj_end(&o);
    cmd_out_json(&o);
}

static void show_line(const struct config *c, enum config_key key)
{
    char line[PATH_CAP * 4 + 256];
    struct text t;
    const struct config_value *v = &c->value[key];
    TEXT_OF(&t, line);
    text_str(&t, config_key_name(key));
    text_pad(&t, 0, 29);
    text_safe(&t, view_str(v->origin == CONFIG_UNSET ? "-" : v->text));
    text_pad(&t, 0, 61);
    text_join(&t, " ", config_origin_name(v->origin), NULL);
    if (v->origin == CONFIG_FILE) {
        text_str(&t, ", line ");
        text_u64(&t, v->line);
    } else if (v->origin == CONFIG_ENV) {
        text_join(&t, ", ", config_env_name(key), NULL);
    } else if (v->origin == CONFIG_FLAG) {
        text_join(&t, ", ", config_flag_name(key), NULL);
    }
    text_str(&t, "\n");
    cmd_out(text_done(&t));
}

void config_show(const struct config *c, bool json)
{
    if (json) {
        show_json(c);
        return;
    }
    cmd_note(c->has_file ? "read " : "there is no ");
    cmd_note(c->file);
    cmd_note("\n");
    for (int i = 0; i < CONFIG_KEYS; i++)
        show_line(c, (enum config_key)i);
}
