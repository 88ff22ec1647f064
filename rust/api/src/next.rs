// SPDX-License-Identifier: Apache-2.0
//! The reply to a check for an update: deployment instructions.

use mender_base::json::{Scanner, Token, text_of};
use mender_base::text;
use mender_base::{Error, limits};

use crate::Url;

/// A deployment this device can take. Its texts lie in the scratch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer<'s> {
    /// Its id, a UUID.
    pub id: &'s str,
    /// Name of its artifact: not empty, no control characters, at most [`limits::NAME_MAX`] bytes.
    pub artifact_name: &'s str,
    /// Length of the download URL in the buffer lent for it; [`Url::parse`] takes it.
    pub uri_len: usize,
}

/// Instructions the device cannot follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused<'s> {
    /// What is wrong with them.
    pub error: Error,
    /// The deployment, when its id is known: it has to be reported as a failure. Without, there is nothing to report and
    /// the check is repeated later.
    pub id: Option<&'s str>,
    /// Name of its artifact, or empty when it was not understood.
    pub artifact_name: &'s str,
}

/// Members of the instructions that are read, and the places where they stand.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Member {
    Root = 0,
    Other = 1,
    Id = 2,
    Artifact = 4,
    Name = 8,
    Source = 16,
    Uri = 32,
    Types = 64,
    /// An element of the device types.
    Type = 128,
}

impl Member {
    const fn bit(self) -> u8 {
        match self {
            Member::Root => 0,
            Member::Other => 1,
            Member::Id => 2,
            Member::Artifact => 4,
            Member::Name => 8,
            Member::Source => 16,
            Member::Uri => 32,
            Member::Types => 64,
            Member::Type => 128,
        }
    }
}

/// Of what, under which name, which.
const MEMBERS: [(Member, &str, Member); 6] = [
    (Member::Root, "id", Member::Id),
    (Member::Root, "artifact", Member::Artifact),
    (Member::Artifact, "artifact_name", Member::Name),
    (Member::Artifact, "source", Member::Source),
    (Member::Artifact, "device_types_compatible", Member::Types),
    (Member::Source, "uri", Member::Uri),
];

/// All that must be there.
const NEEDED: u8 = Member::Id.bit() | Member::Name.bit() | Member::Uri.bit() | Member::Types.bit();

/// Reads deployment instructions from the pieces of a reply (status 200).
///
/// What it does not know is passed over, an update control map among it (protocol §3).
#[repr(C)]
pub struct Next {
    /// Members whose values are open, by depth; all is within the root.
    path: [Member; 4],
    seen: u8,
    /// The value being read goes to the lent buffer for the URL.
    into_uri: bool,
    for_us: bool,
    error: Option<Error>,
    uri_len: usize,
    scanner: Scanner,
    /// Places of the id and the name among them: from, length. An empty one is none.
    id: (usize, usize),
    artifact_name: (usize, usize),
    /// The scratch begins with texts that are kept; so long are they.
    kept: usize,
}

impl Default for Next {
    fn default() -> Self {
        Self::new()
    }
}

impl Next {
    /// Nothing read yet. All zeros.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            scanner: Scanner::new(),
            path: [Member::Root; 4],
            seen: 0,
            into_uri: false,
            for_us: false,
            error: None,
            kept: 0,
            id: (0, 0),
            artifact_name: (0, 0),
            uri_len: 0,
        }
    }

    /// Length of a scratch for all that is understood: an id, an artifact name, and one key or device type.
    pub const SCRATCH: usize = limits::DEPLOYMENT_ID_LEN + 2 * limits::NAME_MAX;

    /// Takes a piece of the body. The other arguments must be the same each time.
    ///
    /// `device_type` is this device's own. `uri` is where the download URL is kept. `scratch` takes the id, the
    /// artifact name, and one other key or value at a time: its length bounds what is understood, [`Next::SCRATCH`] is enough.
    ///
    /// # Errors
    /// The text is not JSON ([`Error::JsonSyntax`], [`Error::JsonDepth`], [`Error::JsonText`]): drop this reader, check again later.
    pub fn feed(
        &mut self,
        data: &[u8],
        device_type: &str,
        uri: &mut [u8],
        scratch: &mut [u8],
    ) -> Result<(), Error> {
        let mut rest = data;
        while !rest.is_empty() {
            let lent =
                if self.into_uri { &mut *uri } else { scratch.get_mut(self.kept..).unwrap_or_default() };
            if let Some(token) = self.scanner.feed(&mut rest, lent)? {
                self.into_uri = false;
                if let Err(error) = self.token(token, device_type, lent) {
                    // Reading goes on: the id may yet come, and whether the rest is JSON matters too.
                    self.error.get_or_insert(error);
                }
            }
        }
        Ok(())
    }

    /// The body has ended. `uri` and `scratch` are the buffers lent to [`feed`](Self::feed).
    ///
    /// # Errors
    /// [`Refused`] with [`Error::JsonSyntax`] (the text ended early), [`Error::OfferMissing`], [`Error::OfferDuplicate`],
    /// [`Error::OfferType`], [`Error::OfferId`], [`Error::OfferName`], [`Error::OfferTooLong`], [`Error::OfferDevice`] or [`Error::Url`].
    pub fn finish<'s>(&self, uri: &[u8], scratch: &'s [u8]) -> Result<Offer<'s>, Refused<'s>> {
        let text = |(from, len)| text_of(scratch.get(from..).unwrap_or_default(), len);
        let artifact_name = text(self.artifact_name);
        if let Err(error) = self.scanner.finish() {
            return Err(Refused { error, id: None, artifact_name });
        }
        let id = Some(text(self.id)).filter(|id| !id.is_empty());
        let error = match self.error {
            Some(error) => Err(error),
            None if self.seen & NEEDED != NEEDED => Err(Error::OfferMissing),
            None if !self.for_us => Err(Error::OfferDevice),
            None => Url::parse(text_of(uri, self.uri_len)).map(|_| ()),
        };
        match (error, id) {
            (Ok(()), Some(id)) => Ok(Offer { id, artifact_name, uri_len: self.uri_len }),
            (Ok(()), None) => Err(Refused { error: Error::OfferMissing, id: None, artifact_name }),
            (Err(error), id) => Err(Refused { error, id, artifact_name }),
        }
    }

    /// The member whose value stands at that depth.
    fn member(&self, depth: u8) -> Member {
        self.path.get(usize::from(depth)).copied().unwrap_or(Member::Other)
    }

    fn set_member(&mut self, depth: u8, member: Member) {
        if let Some(to) = self.path.get_mut(usize::from(depth)) {
            *to = member;
        }
    }

    #[inline(never)]
    fn token(&mut self, token: Token, device_type: &str, lent: &[u8]) -> Result<(), Error> {
        let depth = self.scanner.depth();
        let outside = depth.saturating_sub(1);
        match token {
            Token::Key => return self.key(depth, text_of(lent, self.scanner.len())),
            Token::LongKey => self.set_member(depth, Member::Other),
            Token::ObjectStart => {
                if !matches!(
                    self.member(outside),
                    Member::Other | Member::Root | Member::Artifact | Member::Source
                ) {
                    return Err(Error::OfferType);
                }
            }
            Token::ArrayStart => {
                let list = self.member(outside);
                self.set_member(depth, if list == Member::Types { Member::Type } else { Member::Other });
                if !matches!(list, Member::Other | Member::Types) {
                    return Err(Error::OfferType);
                }
            }
            Token::ObjectEnd | Token::ArrayEnd => {}
            Token::String => {
                let text = text_of(lent, self.scanner.len());
                return self.string(self.member(depth), text, device_type);
            }
            Token::LongValue => {
                if !matches!(self.member(depth), Member::Other | Member::Type) {
                    return Err(Error::OfferTooLong);
                }
            }
            Token::Number | Token::True | Token::False | Token::Null => {
                if self.member(depth) != Member::Other {
                    return Err(Error::OfferType);
                }
            }
        }
        Ok(())
    }

    fn key(&mut self, depth: u8, key: &str) -> Result<(), Error> {
        let parent = self.member(depth.saturating_sub(1));
        let known = MEMBERS.iter().find(|(of, name, _)| *of == parent && *name == key);
        let member = known.map_or(Member::Other, |(_, _, member)| *member);
        if member != Member::Other && self.seen & member.bit() != 0 {
            self.set_member(depth, Member::Other);
            if member == Member::Id {
                // With two ids neither is to be believed.
                self.id = (0, 0);
            }
            return Err(Error::OfferDuplicate);
        }
        self.set_member(depth, member);
        self.into_uri = member == Member::Uri;
        self.seen |= member.bit();
        Ok(())
    }

    /// Keeps the text of that length that was just read: its place.
    fn keep(&mut self, len: usize) -> (usize, usize) {
        let from = self.kept;
        self.kept = from.saturating_add(len);
        (from, len)
    }

    fn string(&mut self, member: Member, value: &str, device_type: &str) -> Result<(), Error> {
        match member {
            Member::Other => {}
            Member::Type => self.for_us |= value == device_type,
            Member::Uri => self.uri_len = value.len(),
            Member::Name => {
                // A name with a NUL or a line end would be another name to whoever prints or compares it in C.
                if value.is_empty() || value.bytes().any(|b| b.is_ascii_control()) {
                    return Err(Error::OfferName);
                }
                if value.len() > limits::NAME_MAX {
                    return Err(Error::OfferTooLong);
                }
                self.artifact_name = self.keep(value.len());
            }
            Member::Id => {
                if !text::is_uuid(value) {
                    return Err(Error::OfferId);
                }
                self.id = self.keep(value.len());
            }
            Member::Root | Member::Artifact | Member::Source | Member::Types => return Err(Error::OfferType),
        }
        Ok(())
    }
}
