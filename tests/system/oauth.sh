# A client on requests-oauthlib, a library that nobody here wrote, signs in by the device flow over
# TLS, refreshes, and gives its tokens back; what it does wrong is told by the words of the RFCs.
. tests/system/lib/test.sh
for python in "$PY" /usr/bin/python3 none; do
    "$python" -c 'import requests_oauthlib, oauthlib' 2> /dev/null && break
done
[ $python != none ] || skip "no Python here has requests_oauthlib (python3-requests-oauthlib)"
relay
echo 'correct horse battery' | at relay "$CMDOP" server user add ada --role owner --email ada@h.example
PYTHONPATH=tests/system/lib PYTHONDONTWRITEBYTECODE=1 timeout 100 "$python" tests/foreign/py/oauth.py "$API" \
    "$SERVER/ca.pem" ada 'correct horse battery' > "$T/client" 2>&1
status=$?
facts_in "$T/client"
is "the client ends well" $status 0
finish
