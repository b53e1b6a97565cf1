#!/usr/bin/env bash
# One Apache Kafka broker on loopback, for tests and for trying; never for production: one node keeps one copy.
#
#   deploy/kafka/start.sh [--port PORT] [--controller-port PORT] [--data FOLDER] [--more FILE]
#   deploy/kafka/start.sh --fetch        only fetch the jars
#
# It prints the bootstrap address once the broker listens, and talks on standard error. The broker stops with Ctrl-C,
# and with whoever started it, however that ended: when its standard input is a pipe, at the pipe's end; else when
# the parent process is gone. Without --data the data goes with it. This process becomes the broker: its id is the broker's.
# Lines of --more go behind ours in server.properties, where the last one of a name counts.
#
# It needs bash and Java 17 or later, and Maven the first time, when it fetches the jars. KUZET_KAFKA_JVM holds more
# flags for Java, such as -XX:TieredStopAtLevel=4 for long runs; KUZET_KAFKA_VERSION is another version than the pom's.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
parent=$PPID
port=9092 controller_port=9093 data="" more="" fetch_only=""
while [ $# -gt 0 ]; do
  case $1 in
    --port) port=$2; shift 2 ;;
    --controller-port) controller_port=$2; shift 2 ;;
    --data) data=$2; shift 2 ;;
    --more) more=$2; shift 2 ;;
    --fetch) fetch_only=yes; shift ;;
    *) echo "start.sh: unknown argument $1" >&2; exit 2 ;;
  esac
done

# Jars live beside what cargo builds, in a folder named after the pom's content: another version is another folder.
target=${CARGO_TARGET_DIR:-$here/../../target}/kafka
version=${KUZET_KAFKA_VERSION:-}
jars=$target/jars-$(cksum <"$here/pom.xml" | cut -d' ' -f1)${version:+-$version}
command -v java >/dev/null || { echo "start.sh: no java on the PATH; Java 17 or later is needed" >&2; exit 1; }
if [ ! -d "$jars" ]; then
  command -v mvn >/dev/null || { echo "start.sh: no mvn on the PATH; Maven fetches Kafka's jars" >&2; exit 1; }
  mkdir -p "$target"
  # Fetched aside and moved in one step, so that a fetch cut short, or a second one, leaves no half folder.
  aside=$(mktemp -d "$target/fetch-XXXXXX")
  trap 'rm -rf "$aside"' EXIT
  echo "fetching the jars of Apache Kafka into $jars" >&2
  mvn --quiet --batch-mode -Dstyle.color=never --file "$here/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$aside/jars" ${version:+-Dkafka.version="$version"} </dev/null >&2
  [ -d "$jars" ] || mv "$aside/jars" "$jars"
  rm -rf "$aside"
  trap - EXIT
fi
[ -z "$fetch_only" ] || exit 0

temporary=""
if [ -z "$data" ]; then
  data=$(mktemp -d)
  temporary=yes
fi
mkdir -p "$data/log" "$data/tmp"
address=127.0.0.1:$port

# One copy of everything is all that one node has. Threads, buffers and coordinators are few, because the tests share
# two cores with it. Short waits where the defaults spare large clusters: a group forms at once, a transaction that
# timed out is aborted within a second, and tests may set short sessions. No topic appears by a typing mistake.
cat >"$data/server.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:$controller_port
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://$address,CONTROLLER://127.0.0.1:$controller_port
advertised.listeners=PLAINTEXT://$address
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=$data/log
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.dedupe.buffer.size=16777216
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
P
[ -z "$more" ] || cat "$more" >>"$data/server.properties"

# The first compiler alone starts in half the time; nothing is left in the host's temporary folder.
java=(java -Xms128M -Xmx384M -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Djava.awt.headless=true
  -Djava.io.tmpdir="$data/tmp" -Dlog4j2.configurationFile="$here/log4j2.properties")
read -ra flags <<<"${KUZET_KAFKA_JVM:-}"
java+=(${flags[@]+"${flags[@]}"} -cp "$jars/*")

if [ ! -f "$data/log/meta.properties" ]; then
  # No letter that an argument parser takes for a flag.
  cluster=$(head -c 16 /dev/urandom | base64 | tr '+/' 'ab' | cut -c 1-22)
  "${java[@]}" kafka.tools.StorageTool format --standalone --cluster-id "$cluster" --config "$data/server.properties" \
    </dev/null >"$data/format.txt" 2>&1 || { cat "$data/format.txt" >&2; exit 1; }
fi

# Waits for up to $1 seconds; true while whoever started the broker is there.
wanted() {
  if [ -p /dev/stdin ]; then
    read -r -t "$1" -N 4096 _ || [ $? -gt 128 ]
  else
    sleep "$1" && kill -0 "$parent" 2>/dev/null
  fi
}

listens() { (exec 4<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

# Says when the broker listens, and ends it when nobody wants it any more.
watch() {
  local broker=$1 wait=0.1
  trap '' INT TERM HUP
  while kill -0 "$broker" 2>/dev/null && wanted "$wait"; do
    if [ "$wait" != 1 ] && listens; then
      echo "$address"
      wait=1
    fi
  done
  kill -KILL "$broker" 2>/dev/null || true
  [ -z "$temporary" ] || rm -rf "$data"
}

# Bash would give a process in the background no standard input of its own accord.
exec 3<&0
watch $$ <&3 3<&- &
exec "${java[@]}" kafka.Kafka "$data/server.properties" </dev/null 3<&- >&2
