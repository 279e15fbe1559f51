# network.sh - a client, a gateway and servers in network namespaces of their own; sourced by the scripts beside it.
#
#     client 192.0.2.10 -- lan0 gateway wan0 -- path.py -- servers 198.18.0.0/16
#     2001:db8:1::10                                       2001:db8:2::/64
#
# All addresses are of documentation and benchmark ranges (RFC 5737, 2544, 3849). A script that sources this file and calls
# own_namespaces first runs in private network, mount and process namespaces: nothing of it is seen outside, and when it ends,
# however it ends, all it started ends too. Root or unprivileged user namespaces will do.

# shellcheck shell=sh

# skip REASON: end as a test that cannot run here
skip()
{
    echo "skipped: $1"
    exit 77
}

# own_namespaces SCRIPT ARGUMENT...: run the script again in namespaces of its own; returns when it runs there
own_namespaces()
{
    [ -z "${OWN_NAMESPACES-}" ] || {
        mount -t tmpfs tmpfs /run
        mkdir /run/netns
        return
    }
    command -v unshare >/dev/null || skip "unshare is not installed (package util-linux)"
    set -- --net --mount --pid --fork --kill-child --mount-proc -- "$@"
    [ "$(id -u)" = 0 ] || set -- --user --map-root-user "$@"
    unshare --user --map-root-user --net true 2>/dev/null || unshare --net true 2>/dev/null ||
        skip "needs root or unprivileged user namespaces"
    [ -w /dev/net/tun ] || skip "cannot open /dev/net/tun"
    OWN_NAMESPACES=1 exec unshare "$@"
}

# need PROGRAM...: skip unless they are installed
need()
{
    for program; do
        command -v "$program" >/dev/null || skip "$program is not installed (etc/packages says of which package)"
    done
}

# in_ns NAME COMMAND...
in_ns()
{
    ip netns exec "$@"
}

# wait_for WHAT COMMAND...: until the command succeeds, at most 10 seconds, or $patience tenths of one
wait_for()
{
    what=$1
    shift
    for _ in $(seq "${patience:-100}"); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    echo "gave up waiting for $what" >&2
    [ ! -e /run/messages ] || cat /run/messages >&2
    exit 1
}

# make_network PATH-TABLE [SERVER-ADDRESS...]: build it; addresses with prefix length are those of the servers
make_network()
{
    table=$1
    shift
    for ns in client gateway server; do
        ip netns add $ns
        ip -n $ns link set lo up
        in_ns $ns sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
    done
    ip link add eth0 netns client type veth peer name lan0 netns gateway
    # No segmentation offload: what the gateway sees are packets as they are on a cable.
    ip -n client link set eth0 gso_max_segs 1 up
    ip -n gateway link set lan0 gso_max_segs 1 up
    ip -n client addr add 192.0.2.10/24 dev eth0
    ip -n client addr add 2001:db8:1::10/64 dev eth0 nodad
    ip -n gateway addr add 192.0.2.1/24 dev lan0
    ip -n gateway addr add 2001:db8:1::1/64 dev lan0 nodad
    ip -n client route add default via 192.0.2.1
    ip -n client route add default via 2001:db8:1::1

    python3 "$(dirname "$0")/path.py" wan0 far0 "$table" >/run/path &
    wait_for "the path" grep -q ready /run/path
    ip link set wan0 netns gateway
    ip link set far0 netns server
    ip -n gateway link set wan0 up
    ip -n server link set far0 up
    ip -n gateway addr add 198.18.255.254/16 dev wan0
    ip -n gateway addr add 2001:db8:2::ffff/64 dev wan0 nodad
    in_ns gateway sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    for address; do
        ip -n server addr add "$address" dev far0
    done
    ip -n server route add default via 198.18.255.254
    ip -n server route add default via 2001:db8:2::ffff
}

# The names that the gateway's name server knows, and their addresses (site/nginx.conf, site/Caddyfile).
hosts='
    news.example 198.18.10.1 2001:db8:2::10
    news-h3.example 198.18.11.1 -
    video.example 198.18.20.1 -
    video-h3.example 198.18.21.1 -
    social.example 198.18.30.1 2001:db8:2::30
    social-h3.example 198.18.31.1 -
    quic.example 198.18.40.1 -'

# server_addresses: with prefix lengths, for make_network
server_addresses()
{
    echo "$hosts" | while read -r _ v4 v6; do
        [ -z "$v4" ] || echo "$v4/16"
        [ "${v6:--}" = - ] || echo "$v6/64"
    done
}

# make_certificates: /run/tls/ca.pem, and site.pem and site.key for all hosts
make_certificates()
{
    mkdir -p /run/tls
    echo "$hosts" | awk 'NF { printf "%s%s", n++ ? ",DNS:" : "subjectAltName=DNS:", $1 }' >/run/tls/names
    for name in ca site; do
        openssl ecparam -name prime256v1 -genkey -noout -out /run/tls/$name.key
    done
    openssl req -x509 -new -key /run/tls/ca.key -out /run/tls/ca.pem -days 2 -subj "/CN=Test authority"
    openssl req -new -key /run/tls/site.key -out /run/tls/site.csr -subj "/CN=site.example"
    openssl x509 -req -in /run/tls/site.csr -CA /run/tls/ca.pem -CAkey /run/tls/ca.key -CAcreateserial -days 2 \
        -extfile /run/tls/names -out /run/tls/site.pem 2>/dev/null
}

# start_servers SECONDS-OF-VIDEO: names, web, feed and QUIC
start_servers()
{
    folder=$(dirname "$0")/site
    make_certificates
    python3 "$folder/make.py" /run/site "$1"

    echo "$hosts" | awk 'NF { printf "address=/%s/%s\n", $1, $2; if ($3 != "-") printf "address=/%s/%s\n", $1, $3 }' \
        >/run/dnsmasq.conf
    in_ns gateway dnsmasq --no-daemon --conf-file=/run/dnsmasq.conf --no-resolv --no-hosts --listen-address=192.0.2.1 \
        --bind-interfaces --local=// >/run/dnsmasq.log 2>&1 &
    echo nameserver 192.0.2.1 >/run/resolv.conf
    mount --bind /run/resolv.conf "$(readlink -f /etc/resolv.conf)"

    in_ns server python3 "$folder/feed.py" 8000 >/run/feed &
    in_ns server nginx -c "$(realpath "$folder")/nginx.conf" -e /run/nginx.log &
    in_ns server gtlsserver --quiet --no-quic-dump --no-http-dump -d /run/site/news 198.18.40.1 443 \
        /run/tls/site.key /run/tls/site.pem >/run/quic.log 2>&1 &
    wait_for "the feed" grep -q ready /run/feed
    wait_for "the web server" in_ns server curl -s --cacert /run/tls/ca.pem --resolve news.example:443:198.18.10.1 \
        https://news.example/
}

# fetch_page URL CURL-OPTION...: from the client, a page and its objects, up to six at a time
fetch_page()
{
    url=$1
    shift
    folder=$(mktemp -d /run/page.XXXX)
    sed "s,^,url = $url," /run/site/news/objects >"$folder/config"
    in_ns client curl -s --cacert /run/tls/ca.pem --parallel --parallel-max 6 --output-dir "$folder" --remote-name-all "$@" \
        "${url}index.html" --config "$folder/config" 2>/run/curl.log
}

# start_daemon NAMESPACE DAEMON ARGUMENT...: sets daemon_pid; returns when it captures
start_daemon()
{
    : >/run/messages
    ip netns exec "$@" 2>>/run/messages &
    daemon_pid=$!
    wait_for "the daemon's capture" grep -q 'capturing on' /run/messages
}

# stop_daemon: end the daemon as a service manager would; it must leave cleanly, with all it had in its log
stop_daemon()
{
    kill -TERM "$daemon_pid"
    wait "$daemon_pid" && status=0 || status=$?
    cat /run/messages
    [ $status = 0 ] || {
        echo "the daemon left with status $status"
        exit 1
    }
}
