// SPDX-License-Identifier: Apache-2.0
//! Writes artifacts and MCUboot images for tests and demos.
