// SPDX-License-Identifier: Apache-2.0
//! Log events are data: a number, a level, up to two integers and one borrowed text.
//!
//! One table makes the texts of the device log, of the simulator and of the deployment log, and the list in `docs/events.md`.
//! In a text `{a}` and `{b}` are the integers, `{s}` is the text and `{e}` is the text of the error whose number is `a`.

use crate::Error;
use crate::text::Decimal;

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
        /// What happened. The number is stable: it is kept in the deployment log on flash.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub enum Event {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl Event {
            /// Every event, in the order of the table.
            pub const ALL: &'static [Event] = &[$(Event::$name),+];

            /// The stable number.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Event::$name => $number,)+ }
            }

            /// How grave.
            #[must_use]
            pub const fn level(self) -> Level {
                match self { $(Event::$name => Level::$level,)+ }
            }

            /// The text with its place holders.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Event::$name => $text,)+ }
            }

            /// The name in the table.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Event::$name => stringify!($name),)+ }
            }

            /// The event of that number, if the table has it.
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Event> {
                match number { $($number => Some(Event::$name),)+ _ => None }
            }
        }
    };
}

events! {
    /// The client starts; `s` is the artifact name.
    Started = 1, Info, "client started, artifact {s}";
}

/// Writes the text of an event, place holders filled in, piece by piece.
pub fn render(event: Event, a: i64, b: i64, s: &str, out: &mut impl FnMut(&str)) {
    let mut rest = event.text();
    while let Some((before, after)) = rest.split_once('{') {
        out(before);
        let Some((what, tail)) = after.split_once('}') else { break };
        match what {
            "a" => number(a, out),
            "b" => number(b, out),
            "s" => out(s),
            "e" => out(u16::try_from(a).ok().and_then(Error::from_number).map_or("no error", Error::text)),
            _ => {}
        }
        rest = tail;
    }
    out(rest);
}

fn number(n: i64, out: &mut impl FnMut(&str)) {
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
