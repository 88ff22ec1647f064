#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes DIR/ca.pem and DIR/ca.key.pem, which mender-server takes for its own: a CA as public ones are. Needs openssl.
#
#     make-ca.sh DIR OPENSSL-OPTIONS...
#
# OPTIONS say of what kind its key is, such as `-newkey rsa:4096`.
set -eu
folder=$1
shift
mkdir -p "$folder"
openssl req -x509 -nodes -keyout "$folder/ca.key.pem" -out "$folder/ca.pem" -days 3650 \
    -subj "/CN=mender-server development CA" -addext keyUsage=keyCertSign "$@"
