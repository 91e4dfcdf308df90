/* Four places for one setting: which wins, and what is refused. */
#include "relay/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fake/port_addr.h"
#include "fake/port_keep.h"

#define DIR  "/config"
#define PATH "/config/server.yaml"

static struct config config;
static struct config_flags flags;
static char reason[1024];

static int setup(void **state)
{
    (void)state;
    fake_reset();
    memset(&flags, 0, sizeof flags);
    return 0;
}

static int load(void)
{
    struct text why;
    TEXT_OF(&why, reason);
    int err = config_load(&config, DIR, &flags, &why);
    assert_int_equal(err == OK, why.len == 0);
    assert_false(why.cut);
    return err;
}

static int load_text(const char *yaml)
{
    fake_put(PATH, view_str(yaml));
    return load();
}

static void assert_value(enum config_key key, const char *text,
                         enum config_origin origin)
{
    assert_string_equal(config_get(&config, key), text);
    assert_int_equal(config.value[key].origin, origin);
}

static void refuses(const char *yaml, const char *part)
{
    assert_int_not_equal(load_text(yaml), OK);
    if (strstr(reason, part) == NULL)
        fail_msg("\"%s\" does not tell \"%s\"", reason, part);
    if (strstr(reason, PATH) == NULL)
        fail_msg("\"%s\" does not name the file", reason);
}

static void without_anything_there_are_defaults(void **state)
{
    (void)state;
    assert_int_equal(load(), OK);
    assert_false(config.has_file);
    assert_value(CONFIG_LISTEN_GRPC, "[::]:50051", CONFIG_DEFAULT);
    assert_value(CONFIG_MAX_CONNECTIONS, "4096", CONFIG_DEFAULT);
    assert_null(config_get(&config, CONFIG_TLS_KEY));
    assert_null(config_get(&config, CONFIG_PROXY_LISTEN));
    config_default(&config, CONFIG_NAME, "box");
    assert_value(CONFIG_NAME, "box", CONFIG_DEFAULT);
}

static void every_key_can_stand_in_the_file(void **state)
{
    (void)state;
    assert_int_equal(load_text("state_dir: /srv/relay\n"
                               "name: relay.example\n"
                               "address: \"relay.example:443\"\n"
                               "mode: lan\n"
                               "listen_grpc: '[::]:443'\n"
                               "listen_api: 127.0.0.1:8443\n"
                               "api_url: https://relay.example:8443\n"
                               "initial_admin_password_file: /etc/pw\n"
                               "max_connections: 100\n"
                               "tls:\n"
                               "  certificate: /etc/c.pem\n"
                               "  key: /etc/k.pem\n"
                               "proxy:\n"
                               "  certificate: /etc/p.pem\n"
                               "  listen: 127.0.0.1:1\n"
                               "  from: [10.0.0.1, 10.0.0.2]\n"
                               "trusted_proxies: [10.0.0.0/8, '::1/128']\n"),
                     OK);
    for (int i = 0; i < CONFIG_KEYS; i++)
        assert_int_equal(config.value[i].origin, CONFIG_FILE);
    assert_value(CONFIG_PROXY_FROM, "10.0.0.1,10.0.0.2", CONFIG_FILE);
    assert_value(CONFIG_TRUSTED_PROXIES, "10.0.0.0/8,::1/128", CONFIG_FILE);
    assert_value(CONFIG_LISTEN_GRPC, "[::]:443", CONFIG_FILE);
    assert_int_equal(config.value[CONFIG_TLS_KEY].line, 12);
}

static void the_later_place_wins(void **state)
{
    (void)state;
    fake_setenv("CMDOP_SERVER_NAME", "env.example");
    fake_setenv("CMDOP_SERVER_TLS_KEY", "env.pem");
    flags.value[CONFIG_NAME] = "flag.example";
    assert_int_equal(load_text("name: file.example\n"
                               "address: file:1\n"
                               "tls: {certificate: c, key: k}\n"),
                     OK);
    assert_value(CONFIG_NAME, "flag.example", CONFIG_FLAG);
    assert_value(CONFIG_TLS_KEY, "env.pem", CONFIG_ENV);
    assert_value(CONFIG_ADDRESS, "file:1", CONFIG_FILE);
    assert_value(CONFIG_LISTEN_API, "[::]:8000", CONFIG_DEFAULT);
}

static void an_empty_variable_counts_as_not_set(void **state)
{
    (void)state;
    fake_setenv("CMDOP_SERVER_NAME", "");
    assert_int_equal(load_text("name: file.example\n"), OK);
    assert_value(CONFIG_NAME, "file.example", CONFIG_FILE);
}

static void paths_in_the_file_start_where_it_is(void **state)
{
    (void)state;
    flags.value[CONFIG_PROXY_CERTIFICATE] = "here.pem";
    assert_int_equal(load_text("tls: {certificate: c.pem, key: /k.pem}\n"), OK);
    assert_value(CONFIG_TLS_CERTIFICATE, "/config/c.pem", CONFIG_FILE);
    assert_value(CONFIG_TLS_KEY, "/k.pem", CONFIG_FILE);
    assert_value(CONFIG_PROXY_CERTIFICATE, "here.pem", CONFIG_FLAG);
    assert_value(CONFIG_PROXY_LISTEN, "127.0.0.1:50052", CONFIG_DEFAULT);
}

static void another_file_may_be_named_and_must_be_there(void **state)
{
    (void)state;
    flags.file = "/etc/relay.yaml";
    assert_int_equal(load(), ERR_NOT_FOUND);
    assert_non_null(strstr(reason, "/etc/relay.yaml"));
    fake_put("/etc/relay.yaml", view_str("name: there\n"));
    assert_int_equal(load_text("name: not.this\n"), OK);
    assert_value(CONFIG_NAME, "there", CONFIG_FILE);
}

static void an_unknown_key_is_told_with_the_nearest(void **state)
{
    (void)state;
    refuses("nmae: x\n", "line 1: there is no key nmae; did you mean name?");
    refuses("tls:\n  certifcate: x\n",
            "line 2: there is no key tls.certifcate; did you mean "
            "tls.certificate?");
    refuses("listen-grpc: x\n", "did you mean listen_grpc?");
    refuses("Name: x\n", "did you mean name?");
    refuses("something_else: x\n", "line 1: there is no key something_else");
    refuses("tsl: {key: x}\n", "there is no key tsl; did you mean tls?");
    refuses("name: x\nproxy: {key: x}\n", "line 2: there is no key proxy.key");
    refuses("\"\\u001b[2J\": x\n", "control character");
}

static void values_of_another_shape_are_refused(void **state)
{
    (void)state;
    refuses("tls: x\n", "tls is a map of keys, not a value");
    refuses("name: {x: y}\n", "name is a value, not a map");
    refuses("name: [x]\n", "name takes no list");
    refuses("tls: [x]\n", "tls takes no list");
    refuses("proxy: {from: [[x]]}\n", "takes texts only");
    refuses("proxy: {from: [{a: x}]}\n", "takes texts only");
    refuses("proxy: {from: ['a,b']}\n", "proxy.from has no value");
    refuses("name:\n", "name has no value");
    refuses("name: ''\n", "name has no value");
    refuses("name: |\n  a\n  b\n", "name is not one line");
    refuses("mode: public\n", "mode is public");
    refuses("mode: prod\n", "mode takes lan");
    refuses("max_connections: 0\n", "from 1 to 32000");
    refuses("max_connections: 4k\n", "from 1 to 32000");
    refuses("max_connections: 99999999999999999999\n", "from 1 to 32000");
    refuses("api_url: relay.example\n", "api_url takes https://");
    refuses("api_url: 'https://a/\"x'\n", "api_url takes https://");
    refuses("api_url: https://\n", "api_url takes https://");
}

static void half_a_pair_is_refused(void **state)
{
    (void)state;
    refuses("tls: {key: x}\n", "tls.key is given, and tls.certificate is not");
    refuses("tls: {certificate: x}\n", "tls.key is not");
    refuses("proxy: {listen: '127.0.0.1:1'}\n", "proxy.certificate is not");
    refuses("proxy: {from: [a]}\n", "proxy.certificate is not");
}

static void who_is_trusted_is_a_network_and_told_with_its_line(void **state)
{
    static const char *const what[] = {"nginx",     "10.0.0.0/33", "0.0.0.0/0",
                                       "0.0.0.0/7", "::/0",        "' '"};
    (void)state;
    for (size_t i = 0; i < sizeof what / sizeof what[0]; i++) {
        char yaml[128];
        snprintf(yaml, sizeof yaml, "trusted_proxies:\n- ::1\n- %s\n- ::1\n",
                 what[i]);
        refuses(yaml, "line 3: trusted_proxies takes up to 16 networks");
    }
    refuses("trusted_proxies: nobody\n", "line 1: trusted_proxies takes");
    assert_int_equal(load_text("trusted_proxies: []\n"), OK);
    assert_null(config_get(&config, CONFIG_TRUSTED_PROXIES));
    assert_int_equal(load_text("trusted_proxies: 10.0.0.0/8\n"), OK);
    refuses("trusted_proxies: [10.1.1.1, 10.1.1.1, 10.1.1.1, 10.1.1.1,\n"
            "  10.1.1.1, 10.1.1.1, 10.1.1.1, 10.1.1.1, 10.1.1.1, 10.1.1.1,\n"
            "  10.1.1.1, 10.1.1.1, 10.1.1.1, 10.1.1.1, 10.1.1.1, 10.1.1.1,\n"
            "  10.1.1.1]\n",
            "trusted_proxies takes up to 16");
    fake_setenv("CMDOP_SERVER_TRUSTED_PROXIES", "10.0.0.0/8,");
    assert_int_equal(load_text(""), ERR_RANGE);
    assert_non_null(strstr(reason, "CMDOP_SERVER_TRUSTED_PROXIES takes"));
    flags.value[CONFIG_TRUSTED_PROXIES] = " ";
    assert_int_equal(load_text(""), ERR_RANGE);
    assert_non_null(strstr(reason, "--trusted-proxies takes"));
}

static void a_bad_variable_or_flag_is_named(void **state)
{
    (void)state;
    fake_setenv("CMDOP_SERVER_MODE", "public");
    assert_int_equal(load(), ERR_RANGE);
    assert_non_null(strstr(reason, "CMDOP_SERVER_MODE is public"));
    flags.value[CONFIG_MODE] = "prod";
    assert_int_equal(load(), ERR_RANGE);
    assert_non_null(strstr(reason, "--mode takes lan"));
    flags.value[CONFIG_MODE] = "";
    assert_int_equal(load(), ERR_RANGE);
    assert_non_null(strstr(reason, "--mode has no value"));
}

static void a_file_that_cannot_be_read_is_told(void **state)
{
    (void)state;
    fake_put(PATH, view_str("name: x\n"));
    fake.fail_at = 1;
    fake.fail_err = ERR_DENIED;
    assert_int_equal(load(), ERR_DENIED);
    assert_non_null(strstr(reason, "cannot read " PATH));
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(without_anything_there_are_defaults),
        T(every_key_can_stand_in_the_file),
        T(the_later_place_wins),
        T(an_empty_variable_counts_as_not_set),
        T(paths_in_the_file_start_where_it_is),
        T(another_file_may_be_named_and_must_be_there),
        T(an_unknown_key_is_told_with_the_nearest),
        T(values_of_another_shape_are_refused),
        T(half_a_pair_is_refused),
        T(who_is_trusted_is_a_network_and_told_with_its_line),
        T(a_bad_variable_or_flag_is_named),
        T(a_file_that_cannot_be_read_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
