// SPDX-License-Identifier: Apache-2.0
//! A local Mender server for development and tests.
