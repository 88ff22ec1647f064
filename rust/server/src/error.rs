// SPDX-License-Identifier: Apache-2.0
//! Errors of the server's own operations (start, upload, deploy); what a device is told is a reply, not an error.

use std::fmt;
use std::io;

/// Why an operation of the server failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A socket or file operation failed; the text says which.
    Io(String, io::Error),
    /// Keys or certificates could not be made or read.
    Tls(String),
    /// The bytes are not an artifact this server can read.
    Artifact(String),
    /// No such device, artifact or deployment.
    NotFound(String),
    /// The request contradicts what is stored.
    Conflict(String),
    /// An argument has a form that is not understood.
    Invalid(String),
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |error| Self::Io(what, error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(what, error) => write!(out, "{what}: {error}"),
            Self::Tls(text) => write!(out, "TLS: {text}"),
            Self::Artifact(text) => write!(out, "artifact: {text}"),
            Self::NotFound(text) => write!(out, "not found: {text}"),
            Self::Conflict(text) => write!(out, "conflict: {text}"),
            Self::Invalid(text) => write!(out, "invalid: {text}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(_, error) => Some(error),
            _ => None,
        }
    }
}
