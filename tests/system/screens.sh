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
    drive capture-pane -p -e -t "$1"
    drive display-message -p -t "$1" '#{cursor_x},#{cursor_y} #{cursor_flag} #{alternate_on} #{mouse_any_flag}'
}
plain() { drive capture-pane -p -t "$1"; }
same() {
    screen local > "$T/local.screen"
    screen remote > "$T/remote.screen"
    cmp "$T/local.screen" "$T/remote.screen"
}
shows() { plain local | grep -q "$1" && plain remote | grep -q "$1"; }
row() { plain local | sed -n "$1p" | grep -q "$2" && plain remote | sed -n "$1p" | grep -q "$2"; }
alike() { # NAME PATTERN: both show the pattern, and soon the same
    wait_for 10 shows "$2" && wait_for 5 same
    status=$?
    verdict $status "$1"
    [ $status -eq 0 ] || { same; diff "$T/local.screen" "$T/remote.screen"; plain local; } | note
}
resize() { for where in local remote; do drive resize-window -t $where -x "$1" -y "$2"; done; }
fresh() {
    type_in "clear; echo fr''esh" Enter
    wait_for 5 shows '^fresh'
    wait_for 5 same
}

wait_for 10 sh -c "tmux -S '$T/driver' capture-pane -p -t remote | grep -q 'box[\$#]'"
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
wait_for 10 vim_size 120 40
alike "vim: in a larger terminal" 'size 120 40'
resize 60 15
wait_for 10 vim_size 60 15
alike "vim: in a smaller terminal" 'size 60 15'
resize 80 24
type_in :qa! Enter
alike "vim: after its end the shell's screen is back" '^fresh'

fresh
# What htop shows changes by the moment; where it shows it does not.
layout() { plain "$1" | grep -n -o -b -E '[0-9]*\[|Mem\[|Swp\[|Tasks:|Load average:|Uptime:|PID +USER.*|F1.*F10.*' |
    sed 's/\([0-9]*\):\([0-9]*\):\(.*\)/\1 \3/'; }
same_layout() { test -n "$(layout local)" && test "$(layout local)" = "$(layout remote)"; }
type_in htop Enter
wait_for 10 shows 'Load average' && wait_for 5 same_layout
verdict $? "htop: the same layout"
resize 120 40
wait_for 5 row 40 F10Quit && wait_for 5 same_layout
verdict $? "htop: in a larger terminal"
resize 80 24
type_in q
wait_for 5 shows '^fresh'
verdict $? "htop: after its end the shell's screen is back"

fresh
echo 'set -g status-right "no clock"' > "$T/inner.conf"
for where in local remote; do
    drive send-keys -t $where "clear; tmux -S '$T/inner.$where' -f '$T/inner.conf' new -s in 'PS1=\"in\\\$ \" sh'" Enter
done
alike "tmux: a session" '^in[$#]'
type_in C-b '"'
wait_for 5 shows '^box[$#]'
type_in "PS1='low\\$ ' exec sh" Enter
wait_for 5 shows 'low[$#]'
type_in C-b %
wait_for 5 shows '.box[$#]'
type_in "clear; PS1='right\\$ ' exec sh" Enter
wait_for 5 shows 'right[$#]'
type_in 'seq 3' Enter
alike "tmux: three panes" '3'
resize 100 30
wait_for 5 row 30 '^\[in\]'
alike "tmux: in a larger terminal" '3'
resize 80 24
type_in C-b o
type_in 'echo upper' Enter
alike "tmux: another pane" 'upper$'
for where in local remote; do tmux -S "$T/inner.$where" kill-server; done
wait_for 5 shows 'exited'
verdict $? "tmux: its end leads back to the shell"
drive kill-server
finish
