#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes fixtures/*.mender again with the official mender-artifact 3.9 (Debian package mender-artifact), from fixtures/in and fixtures/keys.
#
#   make-fixtures.sh           write fixtures/
#   make-fixtures.sh --check   write elsewhere and compare; exit 1 on a difference
#
# The result is the same every time: input files get a fixed time and mode, and so do the tool's temporary files inside the
# artifact. ECDSA signatures are random: an existing fixture whose other bytes are the same is kept.
# It must run as root with user and group named "root" (owner names are part of the artifacts) and needs setpriv and GNU tar.
# 41-* comes from mender-artifact 4.4, which Debian does not have; it is kept as it is.
set -euo pipefail
export LC_ALL=C TZ=UTC
umask 022

here=$(cd "$(dirname "$0")" && pwd)
fixtures=$here/fixtures
tool=$(command -v mender-artifact) || { echo "skipped: mender-artifact not found"; exit 0; }
"$tool" --version | grep -q 'version 3\.9' || { echo "skipped: mender-artifact is not version 3.9"; exit 0; }
[ "$(id -un):$(id -gn)" = root:root ] || { echo "skipped: not root"; exit 0; }
setpriv --reuid 3000000 true 2> /dev/null || { echo "skipped: no user number above 2097151"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
made=$work/made
mkdir "$made"

cp -r "$fixtures/in" "$fixtures/keys" "$work"
chmod 644 "$work"/in/* && chmod 755 "$work/in/ArtifactInstall_Enter_00"
long=$(printf 'l%.0s' {1..120}).bin
cp "$work/in/small.bin" "$work/in/$long"
touch -d '2024-01-02T03:04:05Z' "$work"/in/*
cd "$work/in"

# make NAME SUBCOMMAND ARGUMENT…
make() {
    local name=$1 subcommand=$2
    shift 2
    "$tool" write "$subcommand" "$@" -o "$made/$name.mender" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
}

# image NAME ARTIFACT-NAME COMPRESSION ARGUMENT…
image() {
    local name=$1 artifact_name=$2 compression=$3
    shift 3
    make "$name" module-image -t nucleo_l4a6zg -T zephyr-image -n "$artifact_name" --compression "$compression" "$@"
}

keys=$work/keys
firmware=(-f zephyr.signed.bin)
small=(-f small.bin)
several=(-f small.bin -f exact512.bin -f second-file.dat)

image 01-none none-1.0 none "${firmware[@]}"
image 02-gzip gzip-1.0 gzip "${firmware[@]}"
image 03-lzma lzma-1.0 lzma "${firmware[@]}"
image 04-none-rsa2048 rsa2048-1.0 none "${firmware[@]}" -k "$keys/rsa2048.pem"
image 05-none-rsa3072 rsa3072-1.0 none "${firmware[@]}" -k "$keys/rsa3072.pem"
image 06-none-p256 p256-1.0 none "${firmware[@]}" -k "$keys/p256.pem"
image 07-gzip-p256 gzip-p256-1.0 gzip "${firmware[@]}" -k "$keys/p256.pem"
image 08-lzma-p256 lzma-p256-1.0 lzma "${firmware[@]}" -k "$keys/p256.pem"
image 11-provides-depends provdep-1.0 none "${small[@]}" -N none-1.0 -N gzip-1.0 -G grpA -G grpB -g grpA \
    -p zephyr.board:nucleo -p zephyr.slot:1 -d rootfs-image.zephyr-image.version:none-1.0 -d foo:bar \
    --clears-provides 'zephyr.*'
image 12-script script-1.0 none "${small[@]}" -s ArtifactInstall_Enter_00
image 13-several-files multi-1.0 none "${several[@]}"
image 14-several-files-gzip-p256 multigz-1.0 gzip "${several[@]}" -k "$keys/p256.pem"
image 15-meta-data meta-1.0 none "${small[@]}" -m meta.json
image 16-no-files nofile-1.0 none
image 17-empty-file emptyfile-1.0 none -f empty.bin
image 18-two-device-types twodev-1.0 none "${small[@]}" -t mps2_an385
image 19-software-filesystem fsname-1.0 none "${small[@]}" \
    --software-filesystem firmware --software-name zephyr-image --software-version 1.2.3
image 20-no-defaults nodef-1.0 none "${small[@]}" --no-default-software-version --no-default-clears-provides
make 21-rootfs-image-nochecksum rootfs-image -t nucleo_l4a6zg -n rootfs-1.0 --compression none "${firmware[@]}" \
    --no-checksum-provide
make 22-rootfs-image rootfs-image -t nucleo_l4a6zg -n rootfs-1.1 --compression none "${firmware[@]}"
make 23-rootfs-image-v2 rootfs-image -t nucleo_l4a6zg -n rootfs-v2 -v 2 --compression none "${firmware[@]}"
make 24-rootfs-image-v2-gzip-p256 rootfs-image -t nucleo_l4a6zg -n rootfs-v2gz -v 2 --compression gzip "${small[@]}" \
    -k "$keys/p256.pem"
make 25-bootstrap bootstrap-artifact -t nucleo_l4a6zg -n bootstrap-1.0 --compression none
image 26-augmented aug-1.0 none "${small[@]}" -k "$keys/p256.pem" \
    --augment-type zephyr-image --augment-file second-file.dat --augment-provides aug:1
make 29-long-names module-image -t "$(printf 'd%.0s' {1..120})" -T zephyr-image -n "$(printf 'n%.0s' {1..200})" \
    --compression none "${small[@]}"
image 30-long-filename longfile-1.0 none -f "$long"
make 31-unicode-name module-image -t 'böard 1' -T zephyr-image -n 'näme <&> "q" \ 1' --compression none "${small[@]}"
configuration=configuration-0f6a2c4e-0000-4000-8000-000000000001
make 35-mender-configure module-image -t nucleo_l4a6zg -T mender-configure -n $configuration --compression none \
    --no-default-software-version --no-default-clears-provides -m config.json \
    -p data-partition.mender-configure.version:$configuration --clears-provides 'data-partition.mender-configure.*'

image 36-none-rsa4096 rsa4096-1.0 none "${small[@]}" -k "$keys/rsa4096.pem"
image forge forge-1.0 none "${small[@]}" -k "$keys/rsa2048.pem"

# 33: the builder's uid and gid need PAX headers.
mkdir -m 777 "$work/big"
cp small.bin "$work/big" && chmod 666 "$work/big/small.bin" && touch -r small.bin "$work/big/small.bin"
chown 3000000:3000000 "$work/big" "$work/big/small.bin"
(
    cd "$work/big"
    setpriv --reuid 3000000 --regid 3000000 --clear-groups env HOME="$work/big" TMPDIR="$work/big" \
        "$tool" write module-image -t nucleo_l4a6zg -T zephyr-image -n biguid-1.0 --compression none \
        -f small.bin -o 33-big-uid-pax.mender > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
)
cp "$work/big/33-big-uid-pax.mender" "$made"

# The tool stamps header.tar and data/0000.tar with the time of the run; no hash covers outer tar headers.
python3 "$here/fixtures.py" fixed-time "$made"/*.mender

# 50: signatures by the right key over the right hash, in a padding that must not pass.
python3 "$here/fixtures.py" forge "$keys/rsa2048.pem" "$made/forge.mender" "$made"
rm "$made/forge.mender"

# 32: signed after it was written.
"$tool" sign "$made/01-none.mender" -k "$keys/p256.pem" -o "$made/32-signed-after.mender" > "$work/log" 2>&1

# 34: taken apart and put together by GNU tar in each of its formats.
mkdir "$work/apart"
tar xf "$made/01-none.mender" -C "$work/apart"
for format in gnu pax ustar v7; do
    options=(--owner=root:0 --group=root:0 --mtime='2024-01-02T03:04:05Z')
    if [ $format = pax ]; then
        options+=(--pax-option='exthdr.name=%d/PaxHeaders/%f,atime:=1704164645.25,ctime:=1704164645.5')
    fi
    tar --format=$format -C "$work/apart" "${options[@]}" -cf "$made/34-repacked-gnutar-$format.mender" \
        version manifest header.tar data/0000.tar
done

python3 "$here/fixtures.py" settle ${1:+"$1"} "$made" "$fixtures"
