# Hosts of their own, for tests of the network: name spaces behind one router, 10.9.N.2 each. The
# test itself runs as the router; links, routes and mounts are gone with it. After test.sh:
#
#     router tests/system/NAME.sh
#     host 1; DESK=$NS

# Start the test again in name spaces of its own, if this is not that run.
router() { # TEST
    [ "$(id -u)" = 0 ] || skip "network name spaces need root"
    if [ -z "${ROUTER:-}" ]; then
        unshare -n -m true 2> /dev/null || skip "no network name spaces here"
        rm -rf "$T" # the inner run has its own
        trap - EXIT
        ROUTER=yes exec unshare -n -m sh "$1"
    fi
    ip link set lo up
    echo 1 > /proc/sys/net/ipv4/ip_forward || skip "the router cannot forward"
}

host() { # NUMBER: its link at the router is rNUMBER, its own eNUMBER; its process in NS
    spawn relay "$T/ns.log" unshare -n sleep 1000
    NS=$SPAWNED
    wait_for 5 apart "$NS"
    ip link add name "r$1" type veth peer name "e$1" && ip link set "e$1" netns "$NS" || skip "no veth here"
    ip addr add "10.9.$1.1/24" dev "r$1" && ip link set "r$1" up
    in_host "$NS" sh -c "ip link set lo up; ip addr add 10.9.$1.2/24 dev e$1; ip link set e$1 up;
        ip route add default via 10.9.$1.1"
}
apart() { [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }

in_host() { # NS COMMAND...
    ns=$1
    shift
    nsenter -t "$ns" -n "$@"
}

relay_in() { # NS OPTION...: its log says more; sets RELAY
    ns=$1
    shift
    [ ! -f "$T/relay.log" ] || cat "$T/relay.log" >> "$T/relay.log.old"
    spawn relay "$T/relay.log" nsenter -t "$ns" -n "$CMDOP" server --listen-api 127.0.0.1:0 "$@"
    RELAY=$SPAWNED
    wait_for 10 has "$T/relay.log" '^  next '
}

machine_in() { # NS PLACE: it joins and is online; sets AGENT
    key=$(join_key)
    at "$2" nsenter -t "$1" -n "$CMDOP" join "$key" --name "$2" > "$T/$2.join"
    spawn "$2" "$T/$2.log" nsenter -t "$1" -n "$CMDOP" agent start --foreground
    AGENT=$SPAWNED
    wait_for 10 has "$T/$2.log" 'event=relay.online'
}
