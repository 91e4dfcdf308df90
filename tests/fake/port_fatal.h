/*
 * A fake of how the port ends a program that found a fault, for one test
 * program that fakes the port: the real hook for assert would bring the whole
 * port along.
 */
#ifndef FAKE_PORT_FATAL_H
#define FAKE_PORT_FATAL_H

#include <stdio.h>
#include <stdlib.h>

#include "port/port.h"

void port_fatal(const char *what)
{
    fprintf(stderr, "%s\n", what);
    abort();
}

void __assert_fail(const char *what, const char *file, unsigned line,
                   const char *function)
{
    fprintf(stderr, "%s:%u: %s: ", file, line, function);
    port_fatal(what);
}

#endif
