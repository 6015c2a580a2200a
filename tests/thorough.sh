#!/usr/bin/env bash
# Every race, cut, kill and secret of the tests that publish over the network, a million hostile hosts and many Corefiles,
# where `cargo test` tries a sample of each.
#
# In a release build, because thousands of runs of the program are made; takes minutes on two processors. Needs git, strace and curl's certificates; no other server than its own.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

strace -qq -o /dev/null true
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# All at once: much of the time is waiting, for servers and for the pauses before another try.
BOBBYPIN_THOROUGH=1 cargo test --locked --release --test integration -- --nocapture --test-threads 4 \
    hostile_hosts network_canary network_cuts network_killed network_races corefile_properties 2>&1 | tee "$log"

# Each test that has two forms says what it tried; none may have taken the small one.
for what in '1000000 hostile hosts' 'writers, 200 rounds' ' cuts, ' 'killed at ' 'errors of calls' 'a secret in ' 'Corefiles edited'; do
    grep -q "thorough: .*$what" "$log" || { echo "FAILED: nothing was said of '$what'" >&2; exit 1; }
done
