// SPDX-License-Identifier: Apache-2.0
//! The management API.

use crate::http::{Request, Response};
use crate::state::Shared;

/// Answers one request of the server's user.
pub(crate) fn answer(_shared: &Shared, request: &Request) -> Response {
    Response::error(404, "not found", &request.id)
}
