// SPDX-License-Identifier: Apache-2.0
//! What the client knows across restarts, and its entries in a record.

use crate::Provides;
use mender_base::sha256::Sha256;
use mender_base::text::{Text, TextView, assign, utf8};
use mender_base::{Error, limits};
use mender_records::{Record, Writer};

/// How far the deployment on record has come. Each phase is on flash before what it names begins. Numbers are for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// No deployment.
    Idle = 0,
    /// The artifact is streamed into the slot or to the module. A cut here: the same offer is taken up again.
    Download = 1,
    /// `ArtifactInstall`, and arming the swap. A cut here: failure, unless the new image already runs.
    Install = 2,
    /// The restart was asked for. After it the new software proves itself.
    VerifyReboot = 3,
    /// The new software proved itself; it is being confirmed.
    Commit = 4,
    /// Confirmed and stored; the server must still hear `success`.
    SuccessPending = 5,
    /// The installation is being undone. For an image: the restart in which MCUboot reverts it.
    Rollback = 6,
    /// A module's `ArtifactRollbackReboot` was asked for.
    RollbackReboot = 7,
    /// Over; the server must still hear `failure`.
    FailurePending = 8,
}

/// What kind of payload is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Nothing to install: an empty payload, or the image that runs already.
    Nothing = 0,
    /// A MCUboot image in the slot.
    Image = 1,
    /// An update module's.
    Module = 2,
}

mod tag {
    pub(super) const PHASE: u8 = 1;
    pub(super) const ID: u8 = 2;
    pub(super) const PROVIDES: u8 = 3;
    pub(super) const INCOMING: u8 = 4;
    pub(super) const CLEARED: u8 = 5;
    pub(super) const IMAGE_HASH: u8 = 6;
    pub(super) const IMAGE_SIZE: u8 = 7;
    pub(super) const PAYLOAD_TYPE: u8 = 8;
    pub(super) const COUNTERS: u8 = 9;
    pub(super) const REASON: u8 = 10;
    pub(super) const FAILED_ID: u8 = 11;
    // 12 was the same by the image's own hash.
    pub(super) const REVERTED: u8 = 13;
    pub(super) const PAYLOAD: u8 = 14;
    pub(super) const TOLD_OF: u8 = 15;
}

mod flag {
    pub(super) const KEY_MADE: u8 = 1;
    pub(super) const NEEDS_REBOOT: u8 = 2;
    pub(super) const SUPPORTS_ROLLBACK: u8 = 4;
}

/// The client's state across restarts: one record.
#[derive(Clone)]
#[repr(C)]
pub struct Checkpoint {
    /// How far the deployment has come.
    pub phase: Phase,
    /// What is being installed.
    pub kind: Kind,
    /// The module's answer after `ArtifactInstall`; true for an image.
    pub needs_reboot: bool,
    /// The module's answer; true for an image that MCUboot can revert.
    pub supports_rollback: bool,
    /// Record writes of this deployment.
    pub writes: u8,
    /// Restarts since the deployment began, or since its download was done.
    pub reboots: u8,
    /// Failures of `failed_id` in a row.
    pub failures: u8,
    /// Failures of any deployment in a row that began to write the slot.
    pub failures_in_all: u8,
    /// First bytes of the checksum of the file whose image was tried last and did not prove itself; 0 for none. It is not tried again.
    /// (Not of the image's own hash: that is what the image says of itself, and a damaged one may say what the good one does.)
    pub reverted: u64,
    /// First bytes of the checksum of the payload file in hand.
    pub payload: u64,
    /// First bytes of the hash of the image that the stored provides tell of; 0 where that is not known.
    pub told_of: u64,
    /// A device key was made at some time: "no key" then means "lost", and none is made again.
    pub key_made: bool,
    /// Why the deployment is failing.
    pub reason: Option<Error>,
    /// Size of the new image in bytes.
    pub image_size: u32,
    /// The deployment's id; empty in [`Phase::Idle`].
    pub id: Text<{ limits::DEPLOYMENT_ID_LEN }>,
    /// The last deployment that failed here, and how often in a row.
    pub failed_id: Text<{ limits::DEPLOYMENT_ID_LEN }>,
    /// Its payload type; empty for none.
    pub payload_type: Text<{ limits::PAYLOAD_TYPE_MAX }>,
    /// SHA-256 TLV of the new image; tells new from old after a restart.
    pub image_hash: Sha256,
    /// Provides, the artifact's name among them.
    pub provides: Provides,
}

impl Checkpoint {
    /// A device that has never run: only its artifact name is known.
    #[must_use]
    pub fn factory(artifact_name: &str) -> Self {
        let mut checkpoint = Self::blank();
        checkpoint.name(artifact_name);
        checkpoint
    }

    /// Names the artifact of a device that has never run.
    pub fn name(&mut self, artifact_name: &str) {
        // A name over the limit is a configuration error that `Client::new` has refused.
        if self.provides.begin(artifact_name).is_ok() {
            self.provides.commit();
        }
    }

    /// Nothing is known, not even a name. Inlined, so that it is made where it is to stay.
    #[must_use]
    #[inline(always)]
    pub const fn blank() -> Self {
        Self {
            phase: Phase::Idle,
            id: Text::new(),
            provides: Provides::new(),
            kind: Kind::Nothing,
            payload_type: Text::new(),
            image_hash: [0; 32],
            image_size: 0,
            needs_reboot: false,
            supports_rollback: false,
            writes: 0,
            reboots: 0,
            reason: None,
            failed_id: Text::new(),
            failures: 0,
            failures_in_all: 0,
            reverted: 0,
            payload: 0,
            told_of: 0,
            key_made: false,
        }
    }

    /// Begins a deployment.
    ///
    /// # Errors
    /// [`Error::ProvidesFull`]: the name does not fit. The deployment has begun all the same, to be failed.
    pub fn begin(&mut self, id: &str, artifact_name: &str) -> Result<(), Error> {
        self.phase = Phase::Download;
        // Whoever offers has looked at its shape; an id that does not fit is none.
        assign(&mut self.id, id);
        self.kind = Kind::Nothing;
        self.payload_type.clear();
        // Else an image that was never downloaded could pass for the one that runs.
        self.image_hash = [0; 32];
        self.image_size = 0;
        self.payload = 0;
        self.needs_reboot = false;
        self.supports_rollback = false;
        self.writes = 0;
        self.reboots = 0;
        self.reason = None;
        self.provides.begin(artifact_name).map_err(|mender_base::pairs::Full| Error::ProvidesFull)
    }

    /// The deployment is over.
    pub fn end(&mut self) {
        // An abort that was heard on trial counts, too: new software may have asked another server than the one that made the offer, and will
        // make it again.
        let from_trial = matches!(self.phase, Phase::Rollback | Phase::RollbackReboot);
        if self.reason.is_some_and(|r| r != Error::Aborted || from_trial) {
            self.failures = if self.failed_id == self.id { self.failures.saturating_add(1) } else { 1 };
            if self.payload != 0 {
                self.failures_in_all = self.failures_in_all.saturating_add(1);
            }
            assign(&mut self.failed_id, &self.id);
        } else {
            self.failures = 0;
            self.failed_id.clear();
            if self.reason.is_none() {
                self.failures_in_all = 0;
            }
        }
        if self.kind == Kind::Image && self.reason.is_some_and(blames_image) {
            self.reverted = self.payload;
        }
        self.phase = Phase::Idle;
        self.id.clear();
        self.reason = None;
        self.kind = Kind::Nothing;
        self.provides.forget_incoming();
    }

    /// Notes the checksum of the payload file in hand, an image. `false` when that was tried before and did not prove itself. Where nothing
    /// leads back it may be the one that runs.
    pub fn may_try(&mut self, sum: &Sha256) -> bool {
        let payload = first_bytes(sum);
        let may = self.reverted == 0 || self.reverted != payload;
        // What is refused does not write the slot.
        self.payload = if may { payload } else { 0 };
        may
    }

    /// The provides become those of the artifact in hand.
    pub fn commit_provides(&mut self) {
        self.provides.commit();
        if self.kind == Kind::Image {
            self.told_of = first_bytes(&self.image_hash);
        }
    }

    /// Between deployments: this image runs. One that came by another way than a deployment is not what the provides tell of: then it is known by the
    /// name that it was built with, and what else an image provides is not known.
    pub fn runs(&mut self, hash: &Sha256, artifact_name: &str) {
        let runs = first_bytes(hash);
        let told_of = core::mem::replace(&mut self.told_of, runs);
        if told_of != 0 && told_of != runs {
            self.provides.rename(artifact_name);
            self.provides.clear("rootfs-image.*");
            self.provides.commit();
        }
    }

    /// Writes the entries.
    pub fn encode(&self, w: &mut Writer<'_>) {
        let bit = |on, bit| if on { bit } else { 0 };
        let flags = bit(self.key_made, flag::KEY_MADE)
            | bit(self.needs_reboot, flag::NEEDS_REBOOT)
            | bit(self.supports_rollback, flag::SUPPORTS_ROLLBACK);
        w.entry(tag::PHASE, &[self.phase.number(), kind_number(self.kind), flags]);
        w.entry(tag::PROVIDES, self.provides.stored_bytes());
        if !self.failed_id.is_empty() {
            w.entry(tag::FAILED_ID, self.failed_id.as_bytes());
        }
        w.entry(tag::COUNTERS, &[self.writes, self.reboots, self.failures, self.failures_in_all]);
        number(w, tag::REVERTED, self.reverted);
        number(w, tag::TOLD_OF, self.told_of);
        if self.phase == Phase::Idle {
            return;
        }
        w.entry(tag::ID, self.id.as_bytes());
        w.entry(tag::INCOMING, self.provides.incoming_bytes());
        w.entry(tag::CLEARED, &self.provides.cleared().to_be_bytes());
        w.entry(tag::PAYLOAD_TYPE, self.payload_type.as_bytes());
        if self.kind == Kind::Image {
            w.entry(tag::IMAGE_HASH, &self.image_hash);
            w.entry(tag::IMAGE_SIZE, &self.image_size.to_be_bytes());
            number(w, tag::PAYLOAD, self.payload);
        }
        if let Some(reason) = self.reason {
            w.entry(tag::REASON, &reason.number().to_be_bytes());
        }
    }

    /// Reads the entries; `None` when they make no sense together.
    #[must_use]
    pub fn decode(r: &Record<'_>) -> Option<Self> {
        let mut c = Self::blank();
        c.load(r).then_some(c)
    }

    /// Forgets everything, as a device that has never run.
    pub fn reset(&mut self, artifact_name: &str) {
        (self.phase, self.kind, self.reason) = (Phase::Idle, Kind::Nothing, None);
        self.id.clear();
        self.failed_id.clear();
        self.payload_type.clear();
        (self.image_hash, self.image_size) = ([0; 32], 0);
        (self.reverted, self.payload, self.told_of) = (0, 0, 0);
        (self.needs_reboot, self.supports_rollback, self.key_made) = (false, false, false);
        (self.writes, self.reboots, self.failures, self.failures_in_all) = (0, 0, 0, 0);
        self.provides.reset();
        self.name(artifact_name);
    }

    /// Reads the entries in place of all that was known; `false` when they make no sense together, and what is known then is of no use.
    pub fn load(&mut self, r: &Record<'_>) -> bool {
        (self.image_hash, self.image_size) = ([0; 32], 0);
        self.read(r)
    }

    fn read(&mut self, r: &Record<'_>) -> bool {
        let (Some([phase, kind, flags]), Some(counters)) = (array(r, tag::PHASE), array(r, tag::COUNTERS))
        else {
            return false;
        };
        let (Some(phase), Some(kind)) = (phase_from(phase), kind_from(kind)) else { return false };
        (self.phase, self.kind) = (phase, kind);
        self.key_made = flags & flag::KEY_MADE != 0;
        self.needs_reboot = flags & flag::NEEDS_REBOOT != 0;
        self.supports_rollback = flags & flag::SUPPORTS_ROLLBACK != 0;
        [self.writes, self.reboots, self.failures] = counters;
        // An older firmware wrote three.
        self.failures_in_all = r.get(tag::COUNTERS).and_then(|c| c.get(3)).copied().unwrap_or(0);
        let mut whole = read_text(r, tag::FAILED_ID, &mut self.failed_id);
        self.reverted = r.get(tag::REVERTED).map_or(0, first_bytes);
        self.payload = r.get(tag::PAYLOAD).map_or(0, first_bytes);
        self.told_of = r.get(tag::TOLD_OF).map_or(0, first_bytes);
        whole &= read_text(r, tag::ID, &mut self.id);
        whole &= read_text(r, tag::PAYLOAD_TYPE, &mut self.payload_type);
        let cleared = u16::from_be_bytes(array(r, tag::CLEARED).unwrap_or_default());
        let stored = r.get(tag::PROVIDES);
        let incoming = r.get(tag::INCOMING).unwrap_or_default();
        whole &= stored.is_some() && self.provides.load(stored.unwrap_or_default(), incoming, cleared);
        if kind == Kind::Image {
            let hash = r.get(tag::IMAGE_HASH).unwrap_or_default().first_chunk();
            let size = array(r, tag::IMAGE_SIZE);
            whole &= hash.is_some() && size.is_some();
            if let Some(hash) = hash {
                self.image_hash = *hash;
            }
            self.image_size = u32::from_be_bytes(size.unwrap_or_default());
        }
        // A reason of a newer firmware stays a reason.
        self.reason = array(r, tag::REASON)
            .map(|number| Error::from_number(u16::from_be_bytes(number)).unwrap_or(Error::Internal));
        let id_is_right =
            if phase == Phase::Idle { self.id.is_empty() } else { mender_base::text::is_uuid(&self.id) };
        whole && id_is_right
    }
}

/// Whether a deployment that fails so had an image that ran, or was to run, and is not worth another try. A server that could not be
/// reached, or a machine that was busy for too long, may have been at fault as well: a new deployment may try that image again.
fn blames_image(reason: Error) -> bool {
    matches!(reason, Error::Reverted | Error::Refused | Error::CommitLost | Error::SelfTest)
}

/// Enough of a hash to know an image by. Nothing is trusted for it: at worst an image is refused that could have been tried.
fn first_bytes(hash: &[u8]) -> u64 {
    hash.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// An entry for a number that is there.
fn number(w: &mut Writer<'_>, tag: u8, number: u64) {
    if number != 0 {
        w.entry(tag, &number.to_be_bytes());
    }
}

/// The start of an entry.
fn array<const N: usize>(r: &Record<'_>, tag: u8) -> Option<[u8; N]> {
    r.get(tag)?.first_chunk().copied()
}

/// Reads a text; `false` when it is too long or not UTF-8. Without an entry it is empty.
#[inline(never)]
fn read_text(r: &Record<'_>, tag: u8, to: &mut TextView) -> bool {
    utf8(r.get(tag).unwrap_or_default()).is_some_and(|text| assign(to, text))
}

impl Phase {
    /// The number in records.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Phase::Idle => 0,
            Phase::Download => 1,
            Phase::Install => 2,
            Phase::VerifyReboot => 3,
            Phase::Commit => 4,
            Phase::SuccessPending => 5,
            Phase::Rollback => 6,
            Phase::RollbackReboot => 7,
            Phase::FailurePending => 8,
        }
    }
}

const fn phase_from(number: u8) -> Option<Phase> {
    Some(match number {
        0 => Phase::Idle,
        1 => Phase::Download,
        2 => Phase::Install,
        3 => Phase::VerifyReboot,
        4 => Phase::Commit,
        5 => Phase::SuccessPending,
        6 => Phase::Rollback,
        7 => Phase::RollbackReboot,
        8 => Phase::FailurePending,
        _ => return None,
    })
}

const fn kind_number(kind: Kind) -> u8 {
    match kind {
        Kind::Nothing => 0,
        Kind::Image => 1,
        Kind::Module => 2,
    }
}

const fn kind_from(number: u8) -> Option<Kind> {
    Some(match number {
        0 => Kind::Nothing,
        1 => Kind::Image,
        2 => Kind::Module,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mender_base::text::text;
    extern crate std;
    use std::vec::Vec;

    const ID: &str = "0f6a2c4e-0000-4000-8000-000000000001";

    fn encoded(c: &Checkpoint) -> Vec<u8> {
        let mut buf = [0; limits::IO_BUFFER_MIN];
        let mut w = Writer::new(&mut buf, 5);
        c.encode(&mut w);
        w.finish().unwrap().to_vec()
    }

    fn full() -> Checkpoint {
        let mut c = Checkpoint::factory("release-1");
        c.begin(ID, "release-2").unwrap();
        c.phase = Phase::VerifyReboot;
        c.kind = Kind::Image;
        c.payload_type = text("zephyr-image").unwrap();
        c.image_hash = [7; 32];
        c.image_size = 123_456;
        c.needs_reboot = true;
        c.key_made = true;
        c.writes = 3;
        c.reason = Some(Error::SelfTest);
        c.provides.push("rootfs-image.zephyr-image.version", "release-2").unwrap();
        c.provides.clear("rootfs-image.*");
        c
    }

    #[test]
    fn a_checkpoint_survives_its_record() {
        let c = full();
        let bytes = encoded(&c);
        let d = Checkpoint::decode(&Record::parse(&bytes).unwrap()).unwrap();
        assert_eq!(encoded(&d), bytes);
        assert_eq!(d.image_hash, [7; 32]);
        assert_eq!(d.provides.incoming_name(), "release-2");
    }

    #[test]
    fn a_checkpoint_that_was_used_before_is_as_good_as_a_new_one() {
        let mut c = full();
        c.reset("release-0");
        assert_eq!(encoded(&c), encoded(&Checkpoint::factory("release-0")));
        let (mut c, idle) = (full(), encoded(&Checkpoint::factory("release-0")));
        assert!(c.load(&Record::parse(&idle).unwrap()));
        assert_eq!((encoded(&c), c.image_hash, c.image_size), (idle, [0; 32], 0));
    }

    #[test]
    fn entries_that_make_no_sense_together_are_refused() {
        let break_it: [fn(&mut Checkpoint); 2] =
            [|c| c.id.clear(), |c| c.id = text("../../etc/passwd").unwrap()];
        for f in break_it {
            let mut c = full();
            f(&mut c);
            assert!(Checkpoint::decode(&Record::parse(&encoded(&c)).unwrap()).is_none());
        }
    }

    #[test]
    fn the_largest_checkpoint_fits_the_smallest_io_buffer() {
        let mut c = full();
        c.failed_id = text(ID).unwrap();
        c.payload_type = text("0123456789abcdef0123456789abcdef").unwrap();
        while c
            .provides
            .push(
                core::str::from_utf8(&[b'a' + c.provides.incoming().count() as u8; 2]).unwrap(),
                "0123456789012345678901234567",
            )
            .is_ok()
        {}
        assert!(encoded(&c).len() <= limits::IO_BUFFER_MIN - 256, "{}", encoded(&c).len());
    }

    #[test]
    fn failures_of_one_deployment_are_counted_and_success_forgets_them() {
        let mut c = Checkpoint::factory("r1");
        for n in 1..=3 {
            c.begin(ID, "r2").unwrap();
            c.reason = Some(Error::SelfTest);
            c.end();
            assert_eq!(c.failures, n);
        }
        c.begin(ID, "r2").unwrap();
        c.end();
        assert_eq!(c.failures, 0);
        assert_eq!((c.provides.artifact_name(), c.provides.incoming_name()), ("r1", ""));
    }
}
