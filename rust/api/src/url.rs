// SPDX-License-Identifier: Apache-2.0
//! The few URLs a device needs: `http` and `https`, without user, without fragment, ASCII.

use mender_base::{Error, limits, text};

/// A checked URL that borrows its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Url<'a> {
    /// `https`.
    pub tls: bool,
    /// Name or address, 1…[`limits::HOST_MAX`] bytes; an IPv6 address without its brackets.
    pub host: &'a str,
    /// [`host`](Self::host) is an IPv6 address.
    pub ipv6: bool,
    /// 1…65535; 443 or 80 where the text has none.
    pub port: u16,
    /// Path and query exactly as written: visible ASCII; may be empty or begin with `?`.
    pub target: &'a str,
}

impl<'a> Url<'a> {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// [`Error::Url`]: not http(s), no host, a user, a fragment, a port outside 1…65535, a space, control character or
    /// non-ASCII character anywhere.
    pub fn parse(url: &'a str) -> Result<Self, Error> {
        Self::split(url).ok_or(Error::Url)
    }

    /// The base URL of a Mender server: scheme, host and perhaps a port, nothing behind but perhaps one `/`.
    ///
    /// # Errors
    /// [`Error::Url`] as [`parse`](Self::parse), and when there is a path or query.
    pub fn server(url: &'a str) -> Result<Self, Error> {
        let server = Self::parse(url)?;
        if matches!(server.target, "" | "/") { Ok(server) } else { Err(Error::Url) }
    }

    /// Same scheme, host and port: a connection to one serves the other.
    #[must_use]
    pub fn same_origin(&self, other: &Url<'_>) -> bool {
        self.tls == other.tls
            && self.port == other.port
            && text::same_word(self.host.as_bytes(), other.host.as_bytes())
    }

    /// The port is the scheme's own, which `Host` leaves out.
    pub(crate) const fn has_default_port(&self) -> bool {
        self.port == default_port(self.tls)
    }

    fn split(url: &'a str) -> Option<Self> {
        // One rule for all parts: what is not visible ASCII could end a request line; a fragment is not for servers.
        if !url.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
            return None;
        }
        let (scheme, rest) = cut(url, b':', b':');
        let tls = text::same_word(scheme.as_bytes(), b"https");
        if !tls && !text::same_word(scheme.as_bytes(), b"http") {
            return None;
        }
        let (authority, target) = cut(rest.strip_prefix("://")?, b'/', b'?');
        let literal = authority.strip_prefix('[');
        let ipv6 = literal.is_some();
        let (host, port) = match literal {
            Some(literal) => {
                let (host, behind) = cut(literal, b']', b']');
                (host, behind.strip_prefix(']')?)
            }
            None => cut(authority, b':', b':'),
        };
        let known = |b: u8| match b {
            b':' | b'.' => true,
            b'-' | b'_' => !ipv6,
            _ if ipv6 => b.is_ascii_hexdigit(),
            _ => b.is_ascii_alphanumeric(),
        };
        if host.is_empty() || host.len() > limits::HOST_MAX || !host.bytes().all(known) {
            return None;
        }
        let port = if port.is_empty() {
            default_port(tls)
        } else {
            u16::try_from(text::parse_u32(port.strip_prefix(':')?.as_bytes())?).ok()?
        };
        (port != 0).then_some(Self { tls, host, ipv6, port, target })
    }
}

/// The text before and from the first of two ASCII characters. (`str::split_once` would bring a general searcher.)
#[inline(never)]
fn cut(text: &str, one: u8, other: u8) -> (&str, &str) {
    let at = text.bytes().position(|b| b == one || b == other).unwrap_or(text.len());
    text.split_at_checked(at).unwrap_or((text, ""))
}

const fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::{format, string::String};

    #[test]
    fn the_parts_of_a_url_are_found() {
        for (text, tls, host, ipv6, port, target) in [
            ("https://a", true, "a", false, 443, ""),
            ("http://a", false, "a", false, 80, ""),
            ("HTTPS://a.b-c_d:8443/p?q=1&r=%2F", true, "a.b-c_d", false, 8443, "/p?q=1&r=%2F"),
            ("https://10.0.0.1:1/", true, "10.0.0.1", false, 1, "/"),
            ("https://[::1]/x", true, "::1", true, 443, "/x"),
            (
                "https://[fe80::1.2.3.4]:65535?q@:/#".trim_end_matches('#'),
                true,
                "fe80::1.2.3.4",
                true,
                65535,
                "?q@:/",
            ),
            ("https://a?x=b@c:d", true, "a", false, 443, "?x=b@c:d"),
        ] {
            assert_eq!(Url::parse(text), Ok(Url { tls, host, ipv6, port, target }), "{text}");
        }
    }

    #[test]
    fn c25_urls_a_device_must_not_follow_are_refused() {
        let long = format!("https://{}/", "a".repeat(limits::HOST_MAX + 1));
        for bad in [
            "",
            "https",
            "https:/a",
            "//a/b",
            "/a",
            "a/b",
            "file:///etc/passwd",
            "ftp://a/",
            "https://",
            "https:///x",
            "https://?x",
            "https://:443/",
            "https://user@a/",
            "https://user:pass@a/",
            "https://a/#f",
            "https://a#f",
            "https://a:0/",
            "https://a:65536/",
            "https://a:99999/",
            "https://a:/",
            "https://a:-1/",
            "https://a:+1/",
            "https://a:1:2/",
            "https://a:8 0/",
            "https://a b/",
            "https://a/b c",
            "https://a/\r\nX: y",
            "https://a\n/",
            "https://a/\0",
            "https://a/\x7f",
            "https://a/é",
            "https://é/",
            "https://[::1",
            "https://[]/",
            "https://[::1]x/",
            "https://[::1]x:1/",
            "https://[fe80::1%25eth0]/",
            "https://[g::]/",
            "https://[a-b]/",
            "https://[a_b]/",
            "https://a%2fb/",
            "https://a\\b/",
            " https://a/",
            "https://a/ ",
            "javascript:alert(1)",
            "https://a]/",
            long.as_str(),
        ] {
            assert_eq!(Url::parse(bad), Err(Error::Url), "{bad:?}");
        }
    }

    #[test]
    fn a_server_has_no_path() {
        assert!(Url::server("https://hosted.mender.io").is_ok());
        assert!(Url::server("https://hosted.mender.io:444/").is_ok());
        for bad in ["https://a/x", "https://a//", "https://a?x", "https://a/?"] {
            assert_eq!(Url::server(bad), Err(Error::Url), "{bad}");
        }
    }

    #[test]
    fn the_origin_is_scheme_host_and_port() {
        let same = |a: &str, b: &str| Url::parse(a).unwrap().same_origin(&Url::parse(b).unwrap());
        assert!(same("https://a/x", "https://A:443/y"));
        assert!(!same("https://a", "http://a:443"));
        assert!(!same("https://a", "https://a:444"));
        assert!(!same("https://a", "https://b"));
        assert!(Url::parse(&String::from("https://a:443")).unwrap().has_default_port());
    }
}
