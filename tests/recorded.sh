#!/usr/bin/env bash
# The whole way on recorded objects that nobody here shaped: `init`, then plan, render, diff and reconcile into a bare
# repository, for every recorded platform Package.
#
# The objects are looked for in $BOBBYPIN_FIXTURES, or in ../shared/fixtures beside the package. Where they are not, this
# says so and ends well. $BOBBYPIN names a program that is built already.
set -euo pipefail

project=$(cd "$(dirname "$0")/.." && pwd)
fixtures=${BOBBYPIN_FIXTURES:-$project/../shared/fixtures}
if [ ! -d "$fixtures" ]; then
  echo "SKIPPED: there is no folder $fixtures, so nothing recorded was tried" >&2
  # A folder that was named must be there.
  if [ "${CI:-}" = true ] && [ -n "${BOBBYPIN_FIXTURES:-}" ]; then exit 1; fi
  exit 0
fi
fixtures=$(cd "$fixtures" && pwd)

if [ -z "${BOBBYPIN:-}" ]; then
  cargo build --locked --quiet --manifest-path "$project/Cargo.toml"
  BOBBYPIN=${CARGO_TARGET_DIR:-$project/target}/debug/bobbypin
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HOME=$folder GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME='A person' GIT_AUTHOR_EMAIL=person@localhost.invalid
export GIT_COMMITTER_NAME='A person' GIT_COMMITTER_EMAIL=person@localhost.invalid

inventories=()
for name in ingresses.host.rendered.v1.6.2 tenant-kubernetes.e2e.v1.6.2 tenant-kubernetes.website-hairpin.v1.6; do
  inventories+=(--inventory "$fixtures/$name.yaml")
done

# Runs a command and prints what it was and how it ended; every ending but those that are expected is a failure.
run() {
  local expected=$1 code=0
  shift
  echo "\$ bobbypin $*" | sed "s#$fixtures/##g"
  "$BOBBYPIN" "$@" 2>&1 || code=$?
  echo "(exit code $code)"
  echo
  case " $expected " in *" $code "*) ;; *) echo "FAILED: expected $expected" >&2; exit 1 ;; esac
}

for platform in "$fixtures"/platform-package.*.yaml; do
  echo "═══ $(basename "$platform")"
  repository=$folder/$(basename "$platform" .yaml)
  mkdir "$repository"
  git init -q --bare -b main "$repository/remote.git"
  git init -q -b main "$repository/work"
  cd "$repository/work"
  git remote add origin "$repository/remote.git"
  run 0 init prod
  cp "$platform" clusters/prod/platform.yaml
  cat >>clusters/prod/pins.yaml <<'PIN'
  - name: cleanup-hook-image
    reference: mirror.gcr.io/alpine/kubectl
    tag: 1.36.1
    digest: sha256:ec3d25824693d8bf3be304115ef0c17c571a15d41fcd7383dfbc0e4bf3435a2d
    mediaType: application/vnd.oci.image.index.v1+json
PIN
  git add .
  git commit -qm 'prod: the settings'
  git push -q origin main

  # 4: what the recorded objects do not show is held, and the rest is served.
  run '0 4' plan "${inventories[@]}"
  run '0 4' render "${inventories[@]}"
  run '0 1 4' diff "${inventories[@]}"
  run '0 4' reconcile "${inventories[@]}"
  tip=$(git -C "$repository/remote.git" rev-parse main)
  run '0 4' reconcile "${inventories[@]}"
  if [ "$tip" != "$(git -C "$repository/remote.git" rev-parse main)" ]; then
    echo 'FAILED: the second run made a commit' >&2
    exit 1
  fi
  git -C "$repository/remote.git" fsck --strict --no-progress
  git -C "$repository/remote.git" log --stat --format='%h %s' main
  echo
done
echo 'OK: the second run of every reconcile had nothing to commit'
