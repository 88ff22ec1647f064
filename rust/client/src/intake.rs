// SPDX-License-Identifier: Apache-2.0
//! What the artifact says is collected, checked against the device, and its payload sent where it belongs.
//!
//! Before [`Piece::HeaderEnd`] facts are only remembered, in the checkpoint's incoming half; a refused artifact leaves nothing to undo.

use crate::MODULES;
use crate::image::{self, HEADER_LEN, Layout};
use crate::signature;
use mender_artifact::Piece;
use mender_base::{Error, Event, text};
use mender_port::{Errno, ModuleId, Modules, Platform, Slot};
use mender_update::{Checkpoint, Kind};

const ZEPHYR_IMAGE: &str = "zephyr-image";
const DEVICE_TYPE: &str = "device_type";

#[repr(C)]
pub(crate) struct Intake {
    /// A value of the depends key in hand is what the device has.
    met: bool,
    files: u8,
    module: Option<ModuleId>,
    file_len: u32,
    layout: Option<Layout>,
    header: heapless::Vec<u8, HEADER_LEN>,
    /// What a port said of the error that was returned.
    pub(crate) failed: Option<Errno>,
}

/// What a piece came to.
#[repr(u32)]
pub(crate) enum Taken {
    /// The piece is dealt with.
    All,
    /// The artifact's signature is good, or there is no key to check it with.
    Signature,
    /// The artifact is complete.
    End,
}

impl Intake {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self {
            met: false,
            module: None,
            file_len: 0,
            files: 0,
            header: heapless::Vec::new(),
            layout: None,
            failed: None,
        }
    }

    fn module(&self) -> Option<ModuleId> {
        self.module.filter(|_| MODULES)
    }

    /// Deals with a piece other than payload. `log` takes events.
    #[inline(never)]
    pub(crate) fn piece<P: Platform>(
        &mut self,
        piece: Piece<'_, '_>,
        device_type: &str,
        ports: &mut P,
        checkpoint: &mut Checkpoint,
    ) -> Result<Taken, Error> {
        let provides = &mut checkpoint.provides;
        let full = |_| Error::ProvidesFull;
        match piece {
            Piece::Signature { manifest, signature } => {
                if !signature::verify(ports, manifest, signature)? {
                    ports.log(Event::SignatureUnchecked, 0, 0, "");
                }
                return Ok(Taken::Signature);
            }
            Piece::Unsigned | Piece::MetaDataEnd => {}
            Piece::ArtifactName(name) => {
                if name != provides.incoming_name() {
                    return Err(Error::NameMismatch);
                }
            }
            Piece::ArtifactGroup(group) => provides.push("artifact_group", group).map_err(full)?,
            Piece::PayloadType(payload_type) => {
                self.module = None;
                if !text::assign(&mut checkpoint.payload_type, payload_type.unwrap_or_default()) {
                    return Err(Error::PayloadUnknown);
                }
                checkpoint.kind = match payload_type {
                    None => Kind::Nothing,
                    Some(ZEPHYR_IMAGE) => Kind::Image,
                    Some(_) if !MODULES => return Err(Error::Unsupported),
                    Some(other) => {
                        let module = ports.find(other).ok_or(Error::PayloadUnknown)?;
                        ports.download(module).map_err(|e| note(&mut self.failed, e, Error::ModuleFailed))?;
                        self.module = Some(module);
                        Kind::Module
                    }
                };
            }
            Piece::Depends { key: DEVICE_TYPE, value } => self.met |= value == device_type,
            Piece::Depends { key, value } => self.met |= provides.get(key) == Some(value),
            Piece::DependsEnd { key } => {
                if !core::mem::take(&mut self.met) {
                    return Err(if key == DEVICE_TYPE { Error::DeviceType } else { Error::DependsUnmet });
                }
            }
            Piece::Provides { key, value } => provides.push(key, value).map_err(full)?,
            Piece::Clears(pattern) => provides.clear(pattern),
            Piece::TypeInfoEnd { clears: false, .. } => provides.clear_without_globs(),
            Piece::TypeInfoEnd { clears: true, .. } => {}
            Piece::MetaData(data) => {
                if let Some(module) = self.module() {
                    ports
                        .meta_data(module, data)
                        .map_err(|e| note(&mut self.failed, e, Error::ModuleFailed))?;
                }
            }
            Piece::HeaderEnd => return self.header_end(ports, checkpoint),
            Piece::FileStart { index, name, size, sum } => {
                self.file_start(index, name, size, ports, || checkpoint.may_try(sum))?;
            }
            // Goes to `payload`.
            Piece::Payload { .. } => return Err(Error::Internal),
            Piece::FileEnd { index } => {
                if let Some(module) = self.module() {
                    ports.end(module, index).map_err(|e| note(&mut self.failed, e, Error::ModuleFailed))?;
                }
            }
            Piece::End => {
                self.end(ports, checkpoint)?;
                return Ok(Taken::End);
            }
        }
        Ok(Taken::All)
    }

    fn header_end<P: Platform>(&self, ports: &mut P, checkpoint: &mut Checkpoint) -> Result<Taken, Error> {
        if !checkpoint.provides.commit_fits() {
            return Err(Error::ProvidesFull);
        }
        checkpoint.supports_rollback = match (checkpoint.kind, self.module()) {
            (Kind::Module, Some(module)) => ports.supports_rollback(module),
            _ => ports.can_revert(),
        };
        Ok(Taken::All)
    }

    fn file_start<P: Platform>(
        &mut self,
        index: u8,
        name: &str,
        size: u32,
        ports: &mut P,
        may_try: impl FnOnce() -> bool,
    ) -> Result<(), Error> {
        self.files = self.files.saturating_add(1);
        self.file_len = size;
        if let Some(module) = self.module() {
            return Modules::begin(ports, module, index, name, size)
                .map_err(|e| note(&mut self.failed, e, Error::ModuleFailed));
        }
        if self.files > 1 {
            return Err(Error::ImageFiles);
        }
        // The slot may hold the image to fall back to.
        if !ports.is_confirmed().map_err(|e| note(&mut self.failed, e, Error::Unconfirmed))? {
            return Err(Error::Unconfirmed);
        }
        if size == 0 {
            return Err(Error::ImageMagic);
        }
        if !may_try() {
            return Err(Error::RevertedBefore);
        }
        Slot::begin(ports, size).map_err(|e| note(&mut self.failed, e, Error::SlotBegin))
    }

    /// Sends payload where it belongs; how many bytes were taken.
    pub(crate) fn payload<P: Platform>(
        &mut self,
        index: u8,
        offset: u32,
        data: &[u8],
        ports: &mut P,
    ) -> Result<usize, Error> {
        if let Some(module) = self.module() {
            let taken = Modules::write(ports, module, index, offset, data);
            return taken
                .map(|n| n.min(data.len()))
                .map_err(|e| note(&mut self.failed, e, Error::ModuleFailed));
        }
        let taken = Slot::write(ports, data)
            .map_err(|e| note(&mut self.failed, e, Error::SlotWrite))?
            .min(data.len());
        if self.layout.is_none() {
            self.look_at_header(data.get(..taken).unwrap_or_default())?;
        }
        Ok(taken)
    }

    /// The image header is checked as soon as it is there, not after a megabyte.
    fn look_at_header(&mut self, data: &[u8]) -> Result<(), Error> {
        for byte in data {
            if self.header.push(*byte).is_err() {
                break;
            }
        }
        if let Some(header) = self.header.first_chunk::<HEADER_LEN>() {
            self.layout = Some(image::layout(header, self.file_len)?);
        }
        Ok(())
    }

    fn end<P: Platform>(&mut self, ports: &mut P, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        if checkpoint.kind != Kind::Image {
            return Ok(());
        }
        if self.files != 1 {
            return Err(Error::ImageFiles);
        }
        let layout = self.layout.ok_or(Error::ImageMagic)?;
        ports.finish().map_err(|e| note(&mut self.failed, e, Error::SlotWrite))?;
        image::hash(ports, layout, self.file_len, &mut checkpoint.image_hash)?;
        checkpoint.image_size = self.file_len;
        if ports.running_hash().is_ok_and(|hash| hash == checkpoint.image_hash) {
            // The image runs already: no swap, only its name and provides are new.
            ports.log(Event::SameImage, 0, 0, "");
            checkpoint.kind = Kind::Nothing;
        }
        Ok(())
    }
}

/// Keeps a port's errno for the log, and says what failed.
fn note(failed: &mut Option<Errno>, errno: Errno, error: Error) -> Error {
    *failed = Some(errno);
    error
}
