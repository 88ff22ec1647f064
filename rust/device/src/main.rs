// SPDX-License-Identifier: Apache-2.0
//! A simulated device that updates itself.
fn main() {}
