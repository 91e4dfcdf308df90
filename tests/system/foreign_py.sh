# A client on grpcio, a library that nobody here wrote, signs in at our relay, runs a command on a
# machine and lists the machines.
. tests/system/lib/test.sh
for python in "$PY" /usr/bin/python3 none; do
    "$python" -c 'import grpc, google.protobuf' 2> /dev/null && break
done
[ $python != none ] || skip "no Python here has grpc and google.protobuf (python3-grpcio, python3-protobuf)"
for program in protoc openssl; do
    [ -n "$(command -v $program)" ] || skip "$program is not here"
done
protoc -I proto/cmdop/agent/v1 --python_out="$T" mesh.proto
relay && machine box && signins relay > "$T/signins.json"

mkdir "$T/scratch"
PYTHONPATH=$T PYTHONDONTWRITEBYTECODE=1 timeout 60 "$python" tests/foreign/py/client.py "$PORT" "$SERVER" \
    "$T/signins.json" box "$T/scratch" > "$T/client" 2>&1
status=$?
facts_in "$T/client"
is "the client ends well" $status 0
finish
