// SPDX-License-Identifier: Apache-2.0
//! The Mender device API without I/O: requests are written window by window, replies are read from chunks of any size.
//!
//! Knows: URLs, HTTP/1.1 (RFC 9112), the messages of the Mender device API (authentication v1, deployments v1 and v2,
//! inventory v1). Does not know: connections, time-outs, retries, when a call is due, where a token is kept.
//!
//! No message needs a buffer of its own size: [`Window`] regenerates a request piece by piece, [`Reply`] hands on the body
//! as it lies in the caller's receive buffer, and the readers of bodies ([`Next`], [`TokenReader`], [`ErrorBody`]) keep only
//! what the client needs.
//!
//! ```
//! use mender_api::{Call, Message, Part, Reply, Request, Url, Window};
//!
//! let url = Url::server("https://mender.example.com")?;
//! let message = Message::NextV1 { device_type: "nucleo_l4a6zg", artifact_name: "release 1" };
//! let request = Request { url: &url, user_agent: "Mender/1", call: Call::Device { token: "a.b.c", message } };
//! let (mut buf, mut sent) = ([0; 64], 0);
//! loop {
//!     let mut window = Window::new(&mut buf, sent);
//!     request.write(&mut window);
//!     // send(window.written())
//!     sent += window.written().len() as u32;
//!     if sent >= window.total() {
//!         break;
//!     }
//! }
//!
//! let mut reply = Reply::new(1024);
//! let mut input: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue";
//! loop {
//!     let (used, part) = reply.feed(input, &mut [])?;
//!     input = &input[used..];
//!     match part {
//!         Some(Part::Head) => assert_eq!(reply.head().status, 200),
//!         Some(Part::Body(data)) => {
//!             let taken = data.len(); // or less
//!             reply.take(taken);
//!             input = &input[taken..];
//!         }
//!         Some(Part::End) => break,
//!         None => unreachable!("here more would be received"),
//!     }
//! }
//! # Ok::<(), mender_base::Error>(())
//! ```
#![no_std]
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::string_slice,
    clippy::integer_division,
    clippy::as_conversions,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_macros
)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::string_slice,
        clippy::integer_division,
        reason = "tests may panic"
    )
)]

mod error_body;
mod next;
mod reply;
mod request;
mod signature;
pub mod time;
mod token;
mod url;
mod window;

pub use error_body::{ErrorBody, Refusal};
pub use next::{Next, Offer, Refused};
pub use reply::{ContentRange, Head, Part, Reply};
pub use request::{
    Attributes, Authenticate, Call, Download, Entries, Entry, Message, PEM_LEN, Request, Tier, pem,
};
pub use signature::{DER_MAX, der};
pub use token::TokenReader;
pub use url::Url;
pub use window::Window;
