/*
 * Where the program keeps its things, after the XDG base directory
 * specification 0.8 with variables of our own in front:
 *
 *     config    $CMDOP_CONFIG_DIR   $XDG_CONFIG_HOME/cmdop  ~/.config/cmdop
 *     state     $CMDOP_STATE_DIR    $XDG_STATE_HOME/cmdop
 *                                                       ~/.local/state/cmdop
 *     runtime   $CMDOP_RUNTIME_DIR  $XDG_RUNTIME_DIR/cmdop      <state>/run
 *     server    <state>/server, the relay's state
 *
 * The first that is set wins; an empty variable counts as not set. Nothing is
 * made here: see port_keep_folder.
 */
#ifndef CORE_PATHS_H
#define CORE_PATHS_H

#include "base/text.h"
#include "limits.h"

struct paths {
    char config[PATH_CAP];
    char state[PATH_CAP];
    char runtime[PATH_CAP];
    char server[PATH_CAP];
};

/*
 * Find all folders.
 * out   absolute paths without a final slash; written on success only
 * why   an empty text; gets a sentence for people on failure
 * Returns OK; ERR_NOT_FOUND when the home folder is needed and unknown;
 * ERR_RANGE when a CMDOP_ variable is not an absolute path, or when a path is
 * too long. An XDG variable that is not absolute is ignored, as the
 * specification asks.
 */
int paths_find(struct paths *out, struct text *why);

/*
 * "folder/name". `name` is ours or was checked: it is not searched for
 * slashes or dots. OK, or ERR_RANGE with `out` empty when the result does
 * not fit PATH_CAP.
 */
int paths_join(char out[PATH_CAP], const char *folder, const char *name);

#endif
