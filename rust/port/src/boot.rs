// SPDX-License-Identifier: Apache-2.0
//! The boot loader, MCUboot.

use crate::Result;
use mender_base::sha256::Sha256;

/// What became of the last swap that was asked for, as far as the slots still show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwapState {
    /// The inactive slot still holds a whole image: it ran and was reverted, or was never tried.
    Whole,
    /// The inactive slot's header is gone: MCUboot refused the image (signature, size, downgrade).
    Refused,
    /// The platform cannot tell.
    Unknown,
}

/// MCUboot as the running application sees it.
pub trait Boot {
    /// The SHA-256 TLV of the running image. It alone says which image runs; versions and flags do not.
    ///
    /// # Errors
    /// The running image has no such TLV, or flash cannot be read.
    fn running_hash(&mut self) -> Result<Sha256>;

    /// The running image will still run after a reset. Also true on an untouched factory flash and in overwrite-only mode.
    ///
    /// # Errors
    /// The trailer cannot be read.
    fn is_confirmed(&mut self) -> Result<bool>;

    /// Makes the running image stay. Doing it again does no harm.
    ///
    /// # Errors
    /// The image may or may not be confirmed.
    fn confirm(&mut self) -> Result<()>;

    /// Asks for a test swap at the next reset. It does not look at the image: the caller has.
    ///
    /// # Errors
    /// The swap may or may not happen; the caller invalidates the slot.
    fn request_swap(&mut self) -> Result<()>;

    /// Whether MCUboot can go back to the old image. `false` in overwrite-only mode.
    fn can_revert(&mut self) -> bool;

    /// What the inactive slot says of the last swap. Asked when the old image runs where the new one was expected.
    fn swap_state(&mut self) -> SwapState;
}
