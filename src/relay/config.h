/*
 * What a relay is told, from four places of which the later wins:
 *
 *     default  <  server.yaml  <  $CMDOP_SERVER_*  <  flag
 *
 * All four have the same keys: `tls.certificate` in the file (certificate in
 * the map tls) is CMDOP_SERVER_TLS_CERTIFICATE and --tls-certificate. Every
 * value knows where it came from. A key that is unknown, stands twice or has a
 * value that cannot be used is an error with its place: what is configured is
 * in force, or the relay does not start.
 *
 * server.yaml lies in the config folder (core/paths.h), or is named by
 * --config; only then it must be there. Relative paths in it start at its own
 * folder. docs/man/cmdop-server.yaml.5 tells every key.
 */
#ifndef RELAY_CONFIG_H
#define RELAY_CONFIG_H

#include "core/cmd.h"
#include "limits.h"

enum config_key {
    CONFIG_STATE_DIR,
    CONFIG_NAME,
    CONFIG_ADDRESS,
    CONFIG_MODE,
    CONFIG_LISTEN_GRPC,
    CONFIG_LISTEN_API,
    CONFIG_API_URL,
    CONFIG_ADMIN_PASSWORD_FILE,
    CONFIG_MAX_CONNECTIONS,
    CONFIG_TLS_CERTIFICATE,
    CONFIG_TLS_KEY,
    CONFIG_PROXY_CERTIFICATE,
    CONFIG_PROXY_LISTEN,
    CONFIG_PROXY_FROM,      /* a list; here its members, with ',' between */
    CONFIG_TRUSTED_PROXIES, /* so is this */
    CONFIG_KEYS
};

enum config_origin {
    CONFIG_UNSET,
    CONFIG_DEFAULT,
    CONFIG_FILE,
    CONFIG_ENV,
    CONFIG_FLAG,
};

struct config_value {
    char text[PATH_CAP];
    enum config_origin origin;
    uint32_t line; /* of server.yaml */
};

struct config {
    struct config_value value[CONFIG_KEYS];
    char file[PATH_CAP]; /* that was looked for */
    bool has_file;       /* and was there */
};

/* The flags of a command line, NULL where there is none. */
struct config_flags {
    const char *value[CONFIG_KEYS];
    const char *file; /* --config */
};

/* Options for cmd_options that fill *f; CONFIG_OPTS of them are written. */
#define CONFIG_OPTS (CONFIG_KEYS + 1)
void config_opts(struct config_flags *f, struct cmd_opt *opts);

/*
 * Put the four places together and check each value by itself: numbers are
 * numbers, pairs are pairs. Files that are named are not opened here.
 * dir   the config folder
 * why   an empty text; gets a sentence for people on failure
 * Returns OK; ERR_RANGE; ERR_PROTO when the file is no YAML; or what the port
 * says of it.
 */
int config_load(struct config *c, const char *dir, const struct config_flags *f,
                struct text *why);

/* The same for a server.yaml that was read already, alone: nothing else is
 * asked. For tests. */
int config_read(struct config *c, struct view yaml, struct text *why);

/* A value that cannot be used: a sentence that begins with where it came from
 * and goes on with `what`. Returns ERR_RANGE. */
int config_bad(const struct config *c, enum config_key key, const char *what,
               struct text *why);

/* A value, or NULL when nobody gave one. */
const char *config_get(const struct config *c, enum config_key key);
/* Give a value to a key that has none. */
void config_default(struct config *c, enum config_key key, const char *value);

/* "tls.certificate", "CMDOP_SERVER_TLS_CERTIFICATE" (NULL: none),
 * "--tls-certificate"; "file". For people and tests. */
const char *config_key_name(enum config_key key);
const char *config_env_name(enum config_key key);
const char *config_flag_name(enum config_key key);
const char *config_origin_name(enum config_origin origin);

/* `cmdop server config`: every value and where it came from. */
void config_show(const struct config *c, bool json);

#endif
