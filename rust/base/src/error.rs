// SPDX-License-Identifier: Apache-2.0
//! Every error of the client, numbered once and for ever: one table makes the enum, the C codes, the texts and `docs/errors.md`.
//!
//! Numbers are grouped by hundred: 10xx arguments, 11xx device API and JSON, 12xx artifact, 13xx records, 14xx update,
//! 15xx ports, 19xx internal. The C ABI returns them negated. Numbers are kept in records and logs on devices:
//! never reuse one; a retired number stays as a comment.

macro_rules! errors {
    ($($(#[doc = $why:literal])+ $name:ident = $number:literal, $text:literal;)+) => {
        /// What went wrong. The number is stable across releases.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub enum Error {
            $($(#[doc = $why])+ $name = $number,)+
        }

        impl Error {
            /// Every error, in the order of the table.
            pub const ALL: &'static [Error] = &[$(Error::$name),+];

            /// The stable number, 1000…1999.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Error::$name => $number,)+ }
            }

            /// One line for a person, without a final stop.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Error::$name => $text,)+ }
            }

            /// Why it happens and what to do, for `docs/errors.md`. Not linked into firmware, which does not call it.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Error::$name => concat!($($why),+),)+ }
            }

            /// The name in the table.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Error::$name => stringify!($name),)+ }
            }

            /// The error of that number, if the table has it.
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Error> {
                match number { $($number => Some(Error::$name),)+ _ => None }
            }
        }
    };
}

errors! {
    // ---- 11xx: JSON
    /// The text is not JSON (RFC 8259), or it ended too early.
    JsonSyntax = 1101, "malformed JSON";
    /// Objects or arrays are nested deeper than the client follows.
    JsonDepth = 1102, "JSON nested too deep";
    /// A string has a bad escape, a lone surrogate, a control character or invalid UTF-8.
    JsonText = 1103, "bad text in JSON";

    // ---- 12xx: artifact

    // ---- 19xx: internal
    /// A state that the program excludes was reached. Please report it.
    Internal = 1901, "internal error";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_lead_back_to_their_error() {
        for e in Error::ALL {
            assert_eq!(Error::from_number(e.number()), Some(*e), "{}", e.name());
            assert!((1000..2000).contains(&e.number()));
            assert!(!e.text().is_empty() && !e.text().ends_with('.'));
        }
    }
}
