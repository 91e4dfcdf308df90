/*
 * A fake of the user and his environment, for one test program that asks no
 * more of the port.
 */
#ifndef FAKE_PORT_USER_H
#define FAKE_PORT_USER_H

#include <string.h>

#include "port/port.h"

/* NULL: not set */
static const char *own_path, *own_lang;

bool port_env(const char *name, char *out, size_t cap)
{
    const char *v = strcmp(name, "PATH") == 0   ? own_path
                    : strcmp(name, "LANG") == 0 ? own_lang
                                                : NULL;
    if (v == NULL || strlen(v) >= cap)
        return false;
    memcpy(out, v, strlen(v) + 1);
    return true;
}

const char *port_home(void)
{
    return "/home/ada";
}

const char *port_username(void)
{
    return "ada";
}

const char *port_shell(void)
{
    return "/bin/fish";
}

#endif
