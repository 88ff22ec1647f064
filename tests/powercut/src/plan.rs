// SPDX-License-Identifier: Apache-2.0
//! What is to go wrong, in words that replay it.

use mender_sim::{Cut, Moment, Tear};

/// What goes wrong on the network, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetFault {
    /// The connection breaks when so many bytes have left the device; no later one arrives.
    CutSend(u64),
    /// It breaks when so many bytes have reached the device.
    CutReply(u64),
    /// The server acts on this request, and its reply is lost with the connection.
    LoseReply(u64),
    /// This request reaches the server twice.
    Twice(u64),
    /// The reply to this request comes when the client has given it up.
    Late(u64),
    /// The connection breaks, and this request reaches the server all the same, after the next one.
    Overtaken(u64),
    /// The server goes down at this request, for a minute and a half.
    Restart(u64),
    /// All tokens are void from this request on.
    Expire(u64),
    /// At this request the device's clock leaps an hour ahead, and the server's by years, back or forth.
    Jump(u64),
}

impl NetFault {
    /// Those that strike at a request.
    pub const AT_REQUESTS: [fn(u64) -> Self; 7] =
        [Self::LoseReply, Self::Twice, Self::Late, Self::Overtaken, Self::Restart, Self::Expire, Self::Jump];

    const fn letter(self) -> (char, u64) {
        match self {
            Self::CutSend(n) => ('s', n),
            Self::CutReply(n) => ('y', n),
            Self::LoseReply(n) => ('l', n),
            Self::Twice(n) => ('d', n),
            Self::Late(n) => ('t', n),
            Self::Overtaken(n) => ('o', n),
            Self::Restart(n) => ('x', n),
            Self::Expire(n) => ('e', n),
            Self::Jump(n) => ('j', n),
        }
    }
}

/// What cannot be read, or written, for the first seconds of a boot, counted from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootFault {
    /// The device key.
    Key(u32),
    /// The records.
    Records(u32),
    /// The records again: they can be read, but not written.
    Writes(u32),
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The power goes. Counted from the start, or from the cut before.
    Power(Cut),
    /// The network does. Counted from the start.
    Net(NetFault),
    /// Flash is out of order for a moment.
    Boot(BootFault),
}

impl Fault {
    /// A cut at a flash operation.
    #[must_use]
    pub const fn flash(number: u64, tear: Tear) -> Self {
        Self::Power(Cut { moment: Moment::Any, number, tear })
    }

    /// Reads what [`Fault`]'s `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let letter = text.chars().next()?;
        let rest = text.get(letter.len_utf8()..)?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, tear) = rest.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let moment = match letter {
            'f' => Moment::Any,
            'r' => Moment::Report,
            'm' => Moment::Module,
            'k' | 'q' | 'w' => {
                let boot = u32::try_from(number).ok().filter(|_| tear.is_empty())?;
                return Some(Self::Boot(match letter {
                    'k' => BootFault::Key(boot),
                    'q' => BootFault::Records(boot),
                    _ => BootFault::Writes(boot),
                }));
            }
            _ => {
                let net = match letter {
                    's' => NetFault::CutSend(number),
                    'y' => NetFault::CutReply(number),
                    'l' => NetFault::LoseReply(number),
                    'd' => NetFault::Twice(number),
                    't' => NetFault::Late(number),
                    'o' => NetFault::Overtaken(number),
                    'x' => NetFault::Restart(number),
                    'e' => NetFault::Expire(number),
                    'j' => NetFault::Jump(number),
                    _ => return None,
                };
                return tear.is_empty().then_some(Self::Net(net));
            }
        };
        let tear = match tear.split_at_checked(1)? {
            ("n", "") => Tear::Nothing,
            ("h", "") => Tear::Half,
            ("a", "") => Tear::All,
            ("b", seed) => Tear::Bits(seed.parse().ok()?),
            ("p", bytes) => Tear::Bytes(bytes.parse().ok()?),
            _ => return None,
        };
        Some(Self::Power(Cut { moment, number, tear }))
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Net(fault) => {
                let (letter, number) = fault.letter();
                write!(f, "{letter}{number}")
            }
            Self::Boot(BootFault::Key(boot)) => write!(f, "k{boot}"),
            Self::Boot(BootFault::Records(boot)) => write!(f, "q{boot}"),
            Self::Boot(BootFault::Writes(boot)) => write!(f, "w{boot}"),
            Self::Power(cut) => {
                let letter = match cut.moment {
                    Moment::Report => 'r',
                    Moment::Module => 'm',
                    _ => 'f',
                };
                write!(f, "{letter}{}", cut.number)?;
                match cut.tear {
                    Tear::Nothing => write!(f, "n"),
                    Tear::Half => write!(f, "h"),
                    Tear::All => write!(f, "a"),
                    Tear::Bits(seed) => write!(f, "b{seed}"),
                    Tear::Bytes(bytes) => write!(f, "p{bytes}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_can_be_written_and_read() {
        for text in [
            "f17n", "f1h", "f3a", "f9b123", "f9p24", "r2n", "m4a", "s1", "y20", "l3", "d4", "t5", "x6", "e7",
            "j8",
        ] {
            assert_eq!(Fault::parse(text).map(|fault| fault.to_string()).as_deref(), Some(text));
        }
        for text in ["", "f", "f1", "f1z", "z1", "s1n", "fn", "f1b", "k1n"] {
            assert_eq!(Fault::parse(text), None, "{text}");
        }
    }
}
