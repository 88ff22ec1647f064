// SPDX-License-Identifier: Apache-2.0
//! mender-api.

use mender_api::{
    Attributes, Authenticate, Call, DER_MAX, Download, Entries, Entry, ErrorBody, Message, Next, Reply,
    Request, Tier, TokenReader, Url, Window, der, pem, time,
};
use nopanic::any::{any, one_of, part, see};

/// Log entries and attributes of which nothing is known.
struct Unknown;

impl Entries for Unknown {
    fn visit(&self, each: &mut dyn FnMut(&Entry<'_>)) {
        while any() {
            each(&Entry { unix_ms: any(), event: any(), a: any(), b: any(), s: any() });
        }
    }
}

impl Attributes for Unknown {
    fn visit(&self, each: &mut dyn FnMut(&str, &str)) {
        while any() {
            each(any(), any());
        }
    }
}

pub(crate) fn every() {
    urls();
    windows();
    requests();
    replies();
    bodies();
}

fn urls() {
    if let (Ok(a), Ok(b)) = (Url::parse(any()), Url::server(any())) {
        see(Url::same_origin(&a, &b));
        see((a, b));
    }
    see(time::http_date(any()));
    see(time::rfc3339(any()));
    see(der(&any(), &mut heapless::Vec::<u8, DER_MAX>::new()));
}

fn windows() {
    let mut memory = [0; 64];
    let mut window = Window::new(part(&mut memory), any());
    Window::put(&mut window, any());
    Window::str(&mut window, any());
    Window::decimal(&mut window, any());
    Window::json_string(&mut window, any());
    Window::open_string(&mut window);
    Window::close_string(&mut window);
    Window::fill(&mut window, any(), &[any(), any()]);
    Window::base64(&mut window, any());
    Window::percent(&mut window, any());
    see((Window::total(&window), Window::written(&window)));
}

fn message() -> Message<'static> {
    match any() {
        0u8 => Message::NextV2 { device_type: any(), provides: any() },
        1 => Message::NextV1 { device_type: any(), artifact_name: any() },
        2 => Message::Status { id: any(), status: any(), substate: any() },
        3 => Message::Log { id: any(), entries: &Unknown },
        _ => Message::Inventory(&Unknown),
    }
}

fn requests() {
    let Ok(url) = Url::parse(any()) else { return };
    let public_key: [u8; 65] = any();
    let tier = one_of(&[None, Some(Tier::Standard), Some(Tier::Micro), Some(Tier::System)]);
    see(tier.map(Tier::name));
    let body = Authenticate { identity: any(), public_key: &public_key, tenant_token: any(), tier };
    let call = match any() {
        0u8 => Call::Authenticate { body, signature: any() },
        1 => Call::Device { token: any(), message: message() },
        _ => Call::Download(Download { range: any(), if_match: any() }),
    };
    let mut memory = [0; 64];
    let mut window = Window::new(part(&mut memory), any());
    Request::write(&Request { url: &url, user_agent: any(), call }, &mut window);
    Call::body(&call, &mut window);
    Authenticate::body(&body, &mut window);
    pem(&public_key, any(), &mut window);
    Message::body(&message(), &mut window);
    see(window.written());
}

fn replies() {
    let mut memory = [0; 64];
    let mut reply = Reply::new(any());
    while any() {
        match any() {
            0u8 => see(Reply::feed(&mut reply, any(), part(&mut memory))),
            1 => Reply::take(&mut reply, any()),
            2 => Reply::reset(&mut reply, any()),
            _ => see(Reply::closed(&mut reply)),
        }
        see((Reply::head(&reply), Reply::body_len(&reply), Reply::is_in_body(&reply)));
    }
}

fn bodies() {
    let mut memory = [0; 64];
    let mut other = [0; 64];
    let mut refusal = if any() { ErrorBody::new() } else { ErrorBody::default() };
    let mut token = TokenReader::new();
    let mut next = if any() { Next::new() } else { Next::default() };
    while any() {
        ErrorBody::feed(&mut refusal, any(), part(&mut memory));
        see((
            ErrorBody::refusal(&refusal),
            ErrorBody::is_menders(&refusal),
            ErrorBody::text(&refusal, any()),
        ));
        TokenReader::feed(&mut token, any(), part(&mut memory));
        see(TokenReader::finish(&token));
        see(Next::feed(&mut next, any(), any(), part(&mut memory), part(&mut other)));
    }
    see(Next::finish(&next, any(), any()));
}
