# A tool is killed amid the input of its command, and asked again with the same: the command has not
# seen an end of its input meanwhile, and every byte reaches it once.
. tests/system/lib/test.sh
relay && machine box

seq 200000 > "$T/long"
mkfifo "$T/slow"
spawn relay "$T/half.log" sh -c "exec '$CMDOP' connect exec --id half box -- sh -c 'cat > \"\$HOME/half\"; wc -l < \"\$HOME/half\"' < '$T/slow'"
exec 3> "$T/slow"
head -c 100000 "$T/long" >&3
wait_for 5 test -s "$T/box/half"
end $SPAWNED KILL
exec 3>&-
run exec_on --id half box -- sh -c 'cat > "$HOME/half"; wc -l < "$HOME/half"' < "$T/long"
is "input goes on where a killed tool left it" "$STATUS $(cat "$T/out")" '0 200000'
fact "and every byte of it came once" cmp "$T/long" "$T/box/half"
finish
