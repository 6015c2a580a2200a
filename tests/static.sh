#!/usr/bin/env bash
# Builds the program as Containerfile does, from nothing but the files that it copies, and runs it in a folder that has
# nothing else: no shell, no library, no environment.
#
#   bash tests/static.sh [PROFILE]     the profile is `dev` unless it is given; Containerfile has `dist`
#
# Needs musl-gcc (Debian: musl-tools), which it does not install.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
profile=${1:-dev}
target=$(uname -m)-unknown-linux-musl
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

command -v musl-gcc >/dev/null || { echo "there is no musl-gcc: apt-get install musl-tools" >&2; exit 1; }
[ -d "$(rustc --print sysroot)/lib/rustlib/$target" ] || rustup target add "$target"

# The sources of the image.
while read -r instruction arguments; do
    case "$instruction $arguments" in
        "COPY --from="*) ;;
        "COPY "*)
            read -ra paths <<<"$arguments"
            for path in "${paths[@]::${#paths[@]}-1}"; do
                mkdir -p "$temporary/source/$(dirname "$path")"
                cp -R "$path" "$temporary/source/$path"
            done
            ;;
    esac
done <Containerfile

# Beside the other builds, so that a second time it takes seconds.
cargo build --locked --profile "$profile" --bin bobbypin --target "$target" \
    --manifest-path "$temporary/source/Cargo.toml" --target-dir "$PWD/target"
program=$PWD/target/$target/$([ "$profile" = dev ] && echo debug || echo "$profile")/bobbypin
if ldd "$program" 2>&1 | grep -qv -e 'statically linked' -e 'not a dynamic executable'; then
    ldd "$program" >&2
    exit 1
fi

# The root folder of the image.
image=$temporary/image
install -D -m 0755 "$program" "$image/usr/local/bin/bobbypin"
install -d -m 1777 "$image/tmp"
# As the user of the image where that can be, and without a network.
alone() {
    local as=(--net) user=(--userspec=65532:65532)
    if [ "$(id -u)" != 0 ]; then
        as=(--net --user --map-root-user) user=()
    fi
    "$(command -v env)" -i "$(command -v unshare)" "${as[@]}" "$(command -v chroot)" "${user[@]}" "$image" \
        /usr/local/bin/bobbypin "$@"
}
alone --version
alone demo /tmp/demo | tail -n 3
git -c safe.directory='*' -C "$image/tmp/demo/platform.git" fsck --strict --no-progress
printf 'static, alone: %s bytes\n' "$(stat -c %s "$program")"
