// SPDX-License-Identifier: Apache-2.0
//! Host models of every port: NOR flash, MCUboot, sockets.
