// SPDX-License-Identifier: Apache-2.0
//! Log events are data: a number, a level, up to two integers and one borrowed text.
//!
//! One table makes the texts of the device log, of the simulator and of the deployment log, and the list in `docs/events.md`.
//! In a text `{a}` and `{b}` are the integers, `{s}` is the text and `{e}` is the text of the error whose number is `a`
//! (without the feature `error-texts`, the number).

use crate::text::{self, Decimal};

/// How grave. `Error`: a deployment is lost or a person is needed. `Warning`: it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// A deployment is lost or a person is needed.
    Error = 1,
    /// Something failed and is tried again.
    Warning = 2,
    /// One line per change of state.
    Info = 3,
    /// One line per message.
    Debug = 4,
}

impl Level {
    /// As the deployment log of the Mender server has it (protocol §2.4).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Level::Error => "ERROR",
            Level::Warning => "WARNING",
            Level::Info => "INFO",
            Level::Debug => "DEBUG",
        }
    }
}

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $level:ident, $text:literal;)+) => {
        /// What happened. Its number ([`Event::number`]) is stable: it is kept in the deployment log on flash.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Event {
            $($(#[doc = $doc])+ $name,)+
        }

        // Rows by place rather than a match by number: a third of the flash.
        const NUMBERS: &[u8] = &[$($number),+];
        const LEVELS: &[Level] = &[$(Level::$level),+];
        const TEXTS: &str = concat!($($text, "\0"),+);

        impl Event {
            /// Every event, in the order of the table.
            pub const ALL: &'static [Event] = &[$(Event::$name),+];

            #[allow(clippy::as_conversions, reason = "the place of a variant, which has no other name")]
            const fn row(self) -> usize {
                self as usize
            }

            /// The event at that place of the table. (The compiler sees that this is the identity; [`Event::ALL`] would be linked.)
            fn at(row: usize) -> Option<Event> {
                $(if row == Event::$name.row() { return Some(Event::$name); })+
                None
            }

            /// The stable number.
            #[must_use]
            pub fn number(self) -> u16 {
                NUMBERS.get(self.row()).copied().unwrap_or_default().into()
            }

            /// How grave.
            #[must_use]
            pub fn level(self) -> Level {
                LEVELS.get(self.row()).copied().unwrap_or(Level::Debug)
            }

            /// The text with its place holders.
            #[must_use]
            pub fn text(self) -> &'static str {
                text::nth(TEXTS, self.row())
            }

            /// The name in the table.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Event::$name => stringify!($name),)+ }
            }

            /// The event of that number, if the table has it.
            #[must_use]
            pub fn from_number(number: u16) -> Option<Event> {
                Event::at(NUMBERS.iter().position(|n| u16::from(*n) == number)?)
            }
        }
    };
}

events! {
    // ---- 1…: the client
    /// The client starts; `s` is the name of the installed artifact.
    Started = 1, Info, "started with artifact {s}";
    /// The device key was made.
    KeyMade = 2, Info, "device key made";
    /// The server accepted the device.
    Authenticated = 3, Info, "authenticated";
    /// The inventory is at the server.
    InventorySent = 4, Info, "inventory sent";
    /// No deployment is offered.
    NothingOffered = 5, Debug, "no update";
    /// One request; `s` is what it is for, `a` its status.
    Answered = 6, Debug, "{s}: HTTP {a}";
    /// A connection is open; `s` is the host.
    Connected = 7, Debug, "connected to {s}:{a}";

    // ---- 20…: a deployment
    /// A deployment begins; `s` is the artifact's name.
    DeploymentStarted = 20, Info, "deployment of {s}";
    /// The download is taken up at byte `a`.
    DownloadStarted = 21, Info, "downloading from byte {a}";
    /// The artifact is whole and verified; `a` is its size.
    Downloaded = 22, Info, "downloaded and verified {a} bytes";
    /// Status `s` was reported, answered with HTTP status `a`.
    Reported = 23, Info, "reported {s}: HTTP {a}";
    /// A state of an update module runs.
    ModuleRuns = 24, Info, "{s}";
    /// MCUboot is asked for a test swap.
    SwapRequested = 25, Info, "test swap requested";
    /// The device restarts.
    Restarting = 26, Info, "restarting";
    /// New software is on trial; `s` is its artifact's name.
    OnTrial = 27, Info, "{s} runs on trial";
    /// The running image is confirmed.
    Confirmed = 28, Info, "image confirmed";
    /// The deployment ended well.
    Succeeded = 29, Info, "{s} installed";
    // 30 was `Deferred`: the pause that is reported says it.
    /// The artifact is signed, but no verification key is configured.
    SignatureUnchecked = 31, Info, "signature not checked: no key configured";
    /// The running image is the one to be installed: no swap.
    SameImage = 32, Info, "image already runs, nothing to swap";
    /// Checkpoint written; `a` is the phase, `b` the generation.
    Saved = 33, Debug, "checkpoint: phase {a}, generation {b}";
    /// The server does not want the deployment any more.
    Aborted = 34, Info, "deployment aborted on the server";

    // ---- 50…: tried again
    /// A call of the device API failed; `s` is what it was for.
    CallFailed = 50, Warning, "{s} failed: {e}";
    /// The connection failed with errno `b`.
    ConnectionFailed = 51, Warning, "{e}: {s} (errno {b})";
    /// The download broke at byte `b`; it goes on from there.
    DownloadBroke = 52, Warning, "download broke at byte {b}: {e}";
    /// A record could not be read, errno `b`.
    RecordUnreadable = 53, Warning, "record {s}: {e} (errno {b})";
    /// An update is not looked for while the running image is unconfirmed and nobody tries it.
    HeldUnconfirmed = 54, Warning, "running image is not confirmed: no update until it is";
    /// The old software could not be restored; `s` is what the artifact name is now.
    NameInconsistent = 55, Warning, "old software not restored: {s}";
    /// The old image runs where the new one was to prove itself; `s` is why the device started.
    OldRuns = 56, Warning, "old image runs again, reset cause: {s}";
    /// MCUboot will overwrite the old image, whatever becomes of the new one.
    OneWay = 57, Warning, "{e}";

    // ---- 80…: lost, or a person is needed
    /// The deployment failed; `s` is the artifact's name.
    DeploymentFailed = 80, Error, "deployment of {s} failed: {e}";
    /// A port failed with errno `b`.
    PortFailed = 81, Error, "{e} (errno {b})";
    /// The artifact was refused.
    ArtifactRefused = 82, Error, "artifact refused: {e}";
    /// A state of an update module failed with errno `b`.
    ModuleFailed = 83, Error, "{s} failed (errno {b})";
    /// The device cannot authenticate for want of its key.
    KeyFailed = 84, Error, "{e} (errno {b})";
    /// The configuration is wrong.
    ConfigBad = 85, Error, "configuration: {e}";
}

/// Writes the text of an event, place holders filled in, piece by piece.
pub fn render(event: Event, a: i64, b: i64, s: &str, out: &mut dyn FnMut(&str)) {
    let mut rest = event.text();
    while let Some((before, after)) = split(rest, b'{') {
        out(before);
        let Some((what, tail)) = split(after, b'}') else { break };
        match what {
            "a" => number(a, out),
            "b" => number(b, out),
            "s" => out(s),
            "e" => error(a, out),
            _ => {}
        }
        rest = tail;
    }
    out(rest);
}

#[cfg(feature = "error-texts")]
fn error(a: i64, out: &mut dyn FnMut(&str)) {
    out(u16::try_from(a).ok().and_then(crate::Error::from_number).map_or("no error", crate::Error::text));
}

#[cfg(not(feature = "error-texts"))]
fn error(a: i64, out: &mut dyn FnMut(&str)) {
    out("error ");
    number(a, out);
}

/// The text before and behind the first `mark`, which is ASCII. (`str::split_once` brings a general searcher, and its panic.)
fn split(text: &str, mark: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|b| b == mark)?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.get(1..)?))
}

fn number(n: i64, out: &mut dyn FnMut(&str)) {
    if n < 0 {
        out("-");
    }
    out(Decimal::new(n.unsigned_abs()).as_str());
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::string::String;

    #[test]
    fn every_event_renders_without_a_brace_left() {
        for e in Event::ALL {
            let mut line = String::new();
            render(*e, 1101, -2, "text", &mut |s| line.push_str(s));
            assert!(!line.contains(['{', '}']), "{line}");
            assert_eq!(Event::from_number(e.number()), Some(*e));
        }
    }
}
