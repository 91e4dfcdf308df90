# One agent and one relay per state folder, one relay per port; the second is told who is there.
. tests/system/lib/test.sh
relay && machine box

run at box "$CMDOP" agent start
refused "a second agent with the state folder is refused, with the pid" 1 "runs already \(pid $AGENT\)"
run at box "$CMDOP" agent start --foreground
refused "in the foreground too" 1 "runs already \(pid $AGENT\)"
run at relay "$CMDOP" server --listen-grpc 127.0.0.1:0 --listen-api 127.0.0.1:0
refused "a second relay with the state folder is refused, with the pid" 1 "runs already \(pid $RELAY\)"
run at second "$CMDOP" server --listen-grpc "127.0.0.1:$PORT" --listen-api 127.0.0.1:0
refused "a port in use is told, with the option to change" 1 "127.0.0.1:$PORT.*--listen-grpc"
run at second "$CMDOP" server --listen-grpc 127.0.0.1:0 --listen-api "127.0.0.1:$API"
refused "the other port as well" 1 "127.0.0.1:$API.*--listen-api"
is "the first ones still work" "$(exec_on box -- echo yes)" yes
end "$AGENT" KILL
agent box
is "a lock of one who was killed holds nobody up" "$(exec_on box -- echo yes)" yes
finish
