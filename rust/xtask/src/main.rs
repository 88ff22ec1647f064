// SPDX-License-Identifier: Apache-2.0
//! The project's commands.
fn main() {}
