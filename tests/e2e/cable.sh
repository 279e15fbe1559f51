# cable.sh - a cable with the daemon at one end and replayed traffic at the other, and what every run has to leave behind: sums
# that balance, in the counters and in the log. Sourced after network.sh by a script that is in namespaces of its own and has set
# daemon, ctl and replay (the programs) and model.
#
#     far (replay) eth0 ------ eth0 near (daemon)

# shellcheck shell=sh

log=/run/log/verdicts.json

lay_cable()
{
    ip link add eth0 mtu 65535 netns far type veth peer name eth0 mtu 65535 netns near
    ip -n far link set eth0 up
    ip -n near link set eth0 up
}

make_cable()
{
    for ns in near far; do
        ip netns add $ns
        in_ns $ns sysctl -qw net.ipv6.conf.default.disable_ipv6=1 # no packets but ours
    done
    lay_cable
}

# listen OPTION...: start the daemon on the cable, with a second instead of ten for flows to be idle; later options win
listen()
{
    rm -rf /run/log
    mkdir /run/log
    offered=0
    start_daemon near "$daemon" -i eth0 -m "$model" --set control.socket=/run/control --set flows.idle_timeout=1s \
        --set log.verdicts=$log "$@"
    wait_for "the control socket" ask version
}

# ask VERB...: the answer as one line of JSON
ask()
{
    "$ctl" -s /run/control --json "$@"
}

# figure NAME: one of the counters
figure()
{
    ask stats | python3 tests/e2e/sums.py figure "$1"
}

# send REPLAY-OPTION... FILE: send a capture, and remember how many packets that were
send()
{
    in_ns far "$replay" "$@" >/run/sent
    cat /run/sent
    offered=$((offered + $(sed 's/ packets.*//' /run/sent)))
}

# rest: until every flow has ended and has its verdict, and its line is written or lost; the counters stay in /run/stats
rest()
{
    wait_for "flows to end" is_at_rest
    written=
    while [ "$(figure verdicts.written)" != "$written" ]; do
        written=$(figure verdicts.written)
        sleep 0.5
    done
    ask stats >/run/stats
}

is_at_rest()
{
    case $(ask stats) in
    *'"created":0,'*) false ;;
    *'"active":0,"finished":'*'"waiting":0,'*) true ;;
    *) false ;;
    esac
}

# balance LOG...: when all is quiet the sums have to agree, with the log too (sums.py)
balance()
{
    rest
    python3 tests/e2e/sums.py check "$offered" "$@" </run/stats
}

# expect NAME TEST NUMBER: a figure of /run/stats, as -gt 0
expect()
{
    value=$(python3 tests/e2e/sums.py figure "$1" </run/stats)
    echo "    $1 $value"
    test "$value" "$2" "$3" || {
        echo "FAILED: $1 is $value, not $2 $3"
        exit 1
    }
}

# said TEXT: the daemon has said so, in the seconds that follow at the latest
said()
{
    wait_for "the message: $1" grep -q -- "$1" /run/messages
}
