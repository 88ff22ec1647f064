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

    // ---- 13xx: records
    /// A record on flash is torn or has a wrong checksum. The other copy is used; if both are, the client starts clean.
    RecordDamaged = 1301, "damaged record";
    /// A record was written by a firmware whose format this one cannot read. The client starts clean.
    RecordFormat = 1302, "record of an unknown format";
    /// A record does not fit its buffer.
    RecordTooLong = 1303, "record too long";

    // ---- 14xx: update
    /// The deployment was aborted on the server, or the server no longer knows it.
    Aborted = 1401, "deployment aborted on the server";
    /// Power was lost, or the device restarted, while the update was being downloaded or installed.
    Interrupted = 1402, "interrupted by a restart";
    /// The new image ran and was not confirmed, so MCUboot went back to the old one. Look for a crash or a watchdog reset in the new image.
    Reverted = 1403, "new image was reverted by the boot loader";
    /// MCUboot did not accept the new image: wrong signing key, size, or a downgrade.
    Refused = 1404, "new image was refused by the boot loader";
    /// The new image was confirmed, but the old one runs after a restart.
    CommitLost = 1405, "commit did not last";
    /// The application's self-test failed in the new firmware.
    SelfTest = 1406, "self-test of the new firmware failed";
    /// The new firmware could not reach the server often enough before the commit.
    ServerUnreachable = 1407, "new firmware cannot reach the server";
    /// The new firmware was not committed within the commit deadline.
    CommitDeadline = 1408, "commit deadline passed";
    /// The application refused the update.
    ApplicationRefused = 1409, "refused by the application";
    /// An update module failed; its errno is in the log.
    ModuleFailed = 1410, "update module failed";
    /// The deployment wrote its record more often than any healthy one does.
    LoopDetected = 1411, "update loop detected";
    /// The same deployment has failed several times in a row; it is refused without a download.
    RepeatedFailure = 1412, "the same deployment failed repeatedly";
    /// The device was to restart and did not.
    RebootFailed = 1413, "restart did not happen";
    /// The artifact's name is not the deployment's.
    NameMismatch = 1414, "artifact name differs from the deployment's";
    /// The artifact, or the deployment, is not for this device type.
    DeviceType = 1415, "not for this device type";
    /// The artifact depends on something this device does not provide.
    DependsUnmet = 1416, "artifact depends on what this device does not provide";
    /// The artifact's provides do not fit the device's table (see the limits).
    ProvidesFull = 1417, "too many or too long provides";
    /// No update module is registered for the payload type.
    PayloadUnknown = 1418, "no update module for the payload type";
    /// A `zephyr-image` payload must be exactly one file.
    ImageFiles = 1419, "payload must be exactly one image file";
    /// The payload does not begin with MCUboot's image magic. Was the signed image packed?
    ImageMagic = 1420, "payload is not an MCUboot image";
    /// The sizes in the image header do not agree with the payload's.
    ImageSize = 1421, "image header does not agree with the payload size";
    /// The image has no SHA-256 TLV, so it could not be recognised after the restart.
    ImageHash = 1422, "image has no SHA-256 TLV";
    /// The running image is unconfirmed: the slot holds the image to fall back to.
    Unconfirmed = 1423, "running image is not confirmed";
    /// The boot loader cannot go back to the old image (overwrite-only mode, or the new image is already confirmed).
    CannotRevert = 1424, "cannot go back to the old image";
    /// The artifact is signed by none of the configured keys.
    SignatureUnknown = 1425, "signature matches no verification key";
    /// The old software could not be restored; the artifact name carries `_INCONSISTENT`.
    RollbackFailed = 1426, "rollback failed";

    // ---- 15xx: ports (the errno is in the log)
    /// No connection: name not resolved, refused, no route, or the TLS handshake failed (clock, CA, host name).
    Connect = 1501, "connecting failed";
    /// The connection broke while sending.
    Send = 1502, "sending failed";
    /// The connection broke while receiving.
    Receive = 1503, "receiving failed";
    /// The peer closed the connection before its reply was whole.
    Closed = 1504, "connection closed by the peer";
    /// Nothing came from the peer for the idle time-out.
    IdleTimeout = 1505, "peer is silent";
    /// A request took longer than its total time-out.
    TotalTimeout = 1506, "request took too long";
    /// The slot could not be opened: the image does not fit, or flash failed.
    SlotBegin = 1510, "slot refused the image size";
    /// Writing the slot failed.
    SlotWrite = 1511, "writing the slot failed";
    /// Reading the slot back failed.
    SlotRead = 1512, "reading the slot failed";
    /// The slot could not be invalidated.
    SlotInvalidate = 1513, "invalidating the slot failed";
    /// The running image's hash could not be read.
    RunningHash = 1520, "reading the running image's hash failed";
    /// The running image could not be confirmed.
    Confirm = 1521, "confirming the image failed";
    /// The test swap could not be asked for.
    RequestSwap = 1522, "requesting the swap failed";
    /// A record could not be read.
    StoreRead = 1530, "reading a record failed";
    /// A record could not be written.
    StoreWrite = 1531, "writing a record failed";
    /// The device key could not be read. It is not made again: a key may well be there.
    KeyRead = 1540, "device key cannot be read";
    /// A device key was made once and is gone. Making another would change the device's identity, so a person decides.
    KeyLost = 1541, "device key is lost";
    /// The device key could not be made.
    KeyMake = 1542, "making the device key failed";
    /// Signing with the device key failed.
    Sign = 1543, "signing failed";

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
