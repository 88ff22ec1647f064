// SPDX-License-Identifier: Apache-2.0
//! What is to go wrong, in words that replay it.

use mender_port::RecordId;
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
    /// The server answers this request with 403, and does nothing.
    Forbid(u64),
    /// ... with 429, and says when to come again.
    Limit(u64),
    /// ... with 503.
    Unavailable(u64),
}

/// Words for who reads or writes a replay.
pub const NOTATION: &str = "\
faults, counted from 1; a power cut's number counts from the start or from the cut before it:
  f17h   the power goes at flash operation 17: n nothing of it done, h half, l all but its last granule, pN that many bytes,
         iN a random part from its start by seed N, bN random bits by seed N, a all
  r2n    ... at report 2, sent and not answered          m4a  ... at call 4 of the update module
  s100   the connection breaks after 100 bytes sent      y100 ... after 100 bytes received
  l3     the reply to request 3 is lost                  d3   request 3 arrives twice
  t3     the reply to request 3 is late                  o3   request 3 arrives after the next one
  x3     the server goes down at request 3               e3   all tokens are void from request 3 on
  c3     request 3 is answered 403                       g3   ... 429 with Retry-After
  u3     ... 503                                         j3   clocks jump at request 3
  k2     the key cannot be read for 3 s after boot 2     q2   the records cannot
  a2     copy A of the records alone cannot              b2   copy B
  A2     copy A cannot from its second read on           B2   copy B
  w2     the records cannot be written for 3 s after boot 2
  ~7     bytes come in pieces of random sizes, by seed 7
";

impl NetFault {
    /// Those that strike at a request.
    pub const AT_REQUESTS: [fn(u64) -> Self; 10] = [
        Self::LoseReply,
        Self::Twice,
        Self::Late,
        Self::Overtaken,
        Self::Restart,
        Self::Expire,
        Self::Jump,
        Self::Forbid,
        Self::Limit,
        Self::Unavailable,
    ];

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
            Self::Forbid(n) => ('c', n),
            Self::Limit(n) => ('g', n),
            Self::Unavailable(n) => ('u', n),
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
    /// One copy of the records alone, after so many reads of it that go well.
    Copy(RecordId, u32, u32),
}

impl BootFault {
    /// All there are at a boot.
    #[must_use]
    pub fn at(boot: u32) -> [Self; 7] {
        let copy = |id, spared| Self::Copy(id, spared, boot);
        [
            Self::Key(boot),
            Self::Records(boot),
            Self::Writes(boot),
            copy(RecordId::A, 0),
            copy(RecordId::B, 0),
            // The generations are compared first, then the newer copy is read again.
            copy(RecordId::A, 1),
            copy(RecordId::B, 1),
        ]
    }

    /// The boot at which it strikes.
    #[must_use]
    pub const fn boot(self) -> u32 {
        self.letter().1
    }

    const fn letter(self) -> (char, u32) {
        match self {
            Self::Key(boot) => ('k', boot),
            Self::Records(boot) => ('q', boot),
            Self::Writes(boot) => ('w', boot),
            Self::Copy(RecordId::B, 0, boot) => ('b', boot),
            Self::Copy(RecordId::B, _, boot) => ('B', boot),
            Self::Copy(_, 0, boot) => ('a', boot),
            Self::Copy(_, _, boot) => ('A', boot),
        }
    }
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
            _ if tear.is_empty() && BootFault::at(0).iter().any(|fault| fault.letter().0 == letter) => {
                let faults = BootFault::at(u32::try_from(number).ok()?);
                return faults.into_iter().find(|fault| fault.letter().0 == letter).map(Self::Boot);
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
                    'c' => NetFault::Forbid(number),
                    'g' => NetFault::Limit(number),
                    'u' => NetFault::Unavailable(number),
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
            ("i", seed) => Tear::Prefix(seed.parse().ok()?),
            ("l", "") => Tear::AllButLast,
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
            Self::Boot(fault) => {
                let (letter, boot) = fault.letter();
                write!(f, "{letter}{boot}")
            }
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
                    Tear::Prefix(seed) => write!(f, "i{seed}"),
                    Tear::AllButLast => write!(f, "l"),
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
        let tears = [
            Tear::Nothing,
            Tear::Half,
            Tear::Bytes(24),
            Tear::Prefix(5),
            Tear::AllButLast,
            Tear::Bits(123),
            Tear::All,
        ];
        let moments = [Moment::Any, Moment::Report, Moment::Module];
        let cuts = moments
            .iter()
            .flat_map(|moment| tears.map(|tear| Fault::Power(Cut { moment: *moment, number: 17, tear })));
        let on_the_way = [NetFault::CutSend(1), NetFault::CutReply(20)];
        let at_requests = NetFault::AT_REQUESTS.map(|fault| fault(3));
        let net = on_the_way.into_iter().chain(at_requests).map(Fault::Net);
        let all: Vec<Fault> = cuts.chain(net).chain(BootFault::at(2).map(Fault::Boot)).collect();
        for fault in &all {
            assert_eq!(Fault::parse(&fault.to_string()), Some(*fault), "{fault}");
            let letter = fault.to_string().remove(0);
            let explains = |word: &str| {
                word.strip_prefix(letter).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            };
            assert!(NOTATION.split_whitespace().any(explains), "{letter} is not explained");
        }
        let mut texts: Vec<String> = all.iter().map(ToString::to_string).collect();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), all.len(), "no two faults are written alike");
        for text in ["", "f", "f1", "f1z", "z1", "s1n", "fn", "f1b", "k1n", "a1n"] {
            assert_eq!(Fault::parse(text), None, "{text}");
        }
    }
}
