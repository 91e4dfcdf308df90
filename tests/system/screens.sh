# vim, htop and tmux inside `cmdop connect` look as they do on a local terminal of the same size,
# also after the size has changed.
. tests/system/lib/test.sh
for program in vim htop tmux; do
    [ -n "$(command -v $program)" ] || skip "$program is not here"
done
relay && machine box

# Two terminals side by side: a shell here, and a shell through the relay.
drive() { at relay env -u LC_ALL LANG=C.UTF-8 tmux -u -S "$T/driver" "$@"; }
drive -f /dev/null new-session -d -x 80 -y 24 -s local -c "$T/box" \
    "exec env -u TMUX -u TMUX_PANE HOME='$T/box' $(command -v bash || echo sh) -l"
drive new-session -d -x 80 -y 24 -s remote "exec '$CMDOP' connect box"
drive display-message -p '#{pid}' >> "$T/pids"
drive set-option -g status off

type_in() { for where in local remote; do drive send-keys -t $where "$@"; done; }
screen() { # WHERE: what it shows with its colours, and the cursor
    drive capture-pane -p -e -N -t "$1" | "$PY" tests/system/lib/look.py
    drive display-message -p -t "$1" '#{cursor_x},#{cursor_y} #{cursor_flag} #{alternate_on} #{mouse_any_flag}'
}
plain() { drive capture-pane -p -t "$1"; }
same() {
    screen local > "$T/local.screen"
    screen remote > "$T/remote.screen"
    cmp "$T/local.screen" "$T/remote.screen"
}
cursor() { test "$(drive display-message -p -t local '#{cursor_y}')$(drive display-message -p -t remote '#{cursor_y}')" = "$1$1"; }
shows() { plain local | grep -q "$1" && plain remote | grep -q "$1"; }
row() { plain local | sed -n "$1p" | grep -q "$2" && plain remote | sed -n "$1p" | grep -q "$2"; }
shown() { wait_for 20 shows "$1"; } # PATTERN
reaches() { wait_for 20 row "$@"; } # ROW PATTERN
alike() { # NAME PATTERN: both show the pattern, and soon the same
    shown "$2" && wait_for 20 same
    status=$?
    verdict $status "$1"
    [ $status -eq 0 ] || { same; diff "$T/local.screen" "$T/remote.screen"; plain local; } | note
}
resize() { for where in local remote; do drive resize-window -t $where -x "$1" -y "$2"; done; }
times=0
fresh() { # with a word that was not there before, and the prompt below it
    times=$((times + 1))
    type_in "clear; echo fr''esh$times" Enter
    reaches 1 "^fresh$times\$" && reaches 2 '^box[$#]$' && wait_for 20 same
}

shown '^box[$#]$'
fresh
verdict $? "two shells, the same screen"

seq -f 'line %g of a text – ünïcödé, 漢字' 200 > "$T/box/text"
vim_size() { # a message that comes before the new screen is wiped away with the old one
    type_in ":echo 'size' &columns &lines" Enter
    sleep 0.1
    shows "size $1 $2"
}
type_in "vim -n -u NONE -N --cmd 'set ruler nomore hlsearch' ~/text" Enter
alike "vim: a text" 'line 23 of'
type_in /9 Enter 5dd O 'something new: äöü' Escape
alike "vim: search, delete, insert" 'something new: äöü'
type_in :split Enter G Escape :vsplit Enter
alike "vim: three windows" 'line 200 of'
resize 120 40
wait_for 20 vim_size 120 40
alike "vim: in a larger terminal" 'size 120 40'
resize 60 15
wait_for 20 vim_size 60 15
alike "vim: in a smaller terminal" 'size 60 15'
resize 80 24
wait_for 20 vim_size 80 24
type_in :qa! Enter
alike "vim: after its end the shell's screen is back" '^fresh'

fresh
# What htop shows changes by the moment; where it shows it does not.
layout() { plain "$1" | grep -n -o -b -E '[0-9]*\[|Mem\[|Swp\[|Tasks:|Load average:|Uptime:|PID +USER.*|F1.*F10.*' |
    sed 's/\([0-9]*\):\([0-9]*\):\(.*\)/\1 \3/'; }
same_layout() { test -n "$(layout local)" && test "$(layout local)" = "$(layout remote)"; }
type_in htop Enter
shown 'Load average' && wait_for 20 same_layout
verdict $? "htop: the same layout"
resize 120 40
reaches 40 F10Quit && wait_for 20 same_layout
verdict $? "htop: in a larger terminal"
resize 80 24
reaches 24 F10Quit
type_in q
shown '^fresh'
verdict $? "htop: after its end the shell's screen is back"

fresh
# The name of what runs in a pane appears when tmux finds time to look.
cat > "$T/inner.conf" <<'END'
set -g status-right "no clock"
set -g automatic-rename off
set -g assume-paste-time 0
END
for where in local remote; do
    drive send-keys -t $where "clear; tmux -S '$T/inner.$where' -f '$T/inner.conf' new -s in -n win 'PS1=\"in\\\$ \" sh'" Enter
done
alike "tmux: a session" '^in[$#]$'
for where in local remote; do tmux -S "$T/inner.$where" display-message -p '#{pid}' >> "$T/pids"; done
type_in C-b '"'
shown '^box[$#]$'
type_in "PS1='low\\$ ' exec sh" Enter
shown '^low[$#]$'
type_in C-b %
shown '.box[$#]$'
type_in "clear; PS1='right\\$ ' exec sh" Enter
shown '.right[$#]$'
type_in 'seq 3' Enter
shown '[^ ]3$'
alike "tmux: three panes" 'right[$#]$'
resize 100 30
reaches 30 '^\[in\]'
alike "tmux: in a larger terminal" 'right[$#]$'
resize 80 24
reaches 24 '^\[in\]'
type_in C-b o
wait_for 20 cursor 0 # the row that it is in
type_in 'echo upper' Enter
alike "tmux: another pane" '^upper$'
for where in local remote; do tmux -S "$T/inner.$where" kill-server; done
shown 'exited'
verdict $? "tmux: its end leads back to the shell"
drive kill-server
finish
