// SPDX-License-Identifier: Apache-2.0
//! Every error of the client, numbered once and for ever: one table makes the enum, the C codes, the texts and `docs/errors.md`.
//!
//! Numbers are grouped by hundred: 10xx arguments, 11xx device API and JSON, 12xx artifact, 13xx records, 14xx update,
//! 15xx ports, 19xx internal. The C ABI returns them negated. Numbers are kept in records and logs on devices:
//! never reuse one; a retired number stays as a comment.

#[cfg(feature = "error-texts")]
use crate::text;
#[cfg(feature = "error-texts")]
use core::ffi::CStr;

macro_rules! errors {
    ($($(#[doc = $why:literal])+ $name:ident = $number:literal, $text:literal;)+) => {
        /// What went wrong. Its number ([`Error::number`]) is stable across releases; its place in the enum is not.
        /// As wide as a register, so that a result with a number in it is returned in two of them and not in memory.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        #[allow(clippy::as_conversions, reason = "the place of a row, which has no other name")]
        pub enum Error {
            $($(#[doc = $why])+ $name = Row::$name as u32,)+
        }

        // The places in the tables. The first is left to "no error": `None` and `Ok(())` are zero then, which is shortest to set and test.
        enum Row {
            _NoError,
            $($name,)+
        }

        // Rows by place rather than a match by number: a third of the flash.
        const NUMBERS: &[u16] = &[0, $($number),+];
        #[cfg(feature = "error-texts")]
        const TEXTS: &str = concat!("no error\0", $($text, "\0"),+);

        impl Error {
            /// Every error, in the order of the table.
            pub const ALL: &'static [Error] = &[$(Error::$name),+];

            #[allow(clippy::as_conversions, reason = "the place of a variant, which has no other name")]
            const fn row(self) -> usize {
                self as usize
            }

            /// The error at that place of the table. (The compiler sees that this is the identity; [`Error::ALL`] would be linked.)
            fn at(row: usize) -> Option<Error> {
                $(if row == Error::$name.row() { return Some(Error::$name); })+
                None
            }

            /// The stable number, 1000…1999.
            #[must_use]
            pub fn number(self) -> u16 {
                Error::number_of(Some(self))
            }

            /// The same, or 0 for none.
            #[must_use]
            pub fn number_of(error: Option<Error>) -> u16 {
                NUMBERS.get(error.map_or(0, Error::row)).copied().unwrap_or_default()
            }

            /// One line for a person, without a final stop.
            #[cfg(feature = "error-texts")]
            #[must_use]
            pub fn text(self) -> &'static str {
                text::nth(TEXTS, self.row())
            }

            /// The same text as C reads it.
            #[cfg(feature = "error-texts")]
            #[must_use]
            pub fn c_text(self) -> &'static CStr {
                text::nth_for_c(TEXTS, self.row())
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
            pub fn from_number(number: u16) -> Option<Error> {
                Error::at(NUMBERS.iter().position(|n| *n == number)?)
            }
        }
    };
}

errors! {
    // ---- 10xx: arguments
    /// The server URL of the configuration is not `https://host[:port]` (or `http://` where plain HTTP is allowed).
    ConfigServer = 1001, "bad server URL";
    /// Device type or artifact name of the configuration is empty or too long.
    ConfigName = 1002, "bad configured name";
    /// A buffer lent to the client is too small.
    ConfigBuffer = 1003, "buffer too small";
    /// The identity has no pair, or more than fits.
    ConfigIdentity = 1004, "bad identity";
    /// A pointer that must not be NULL is, or it is not aligned for its type.
    NullPointer = 1011, "NULL argument";
    /// A number is none of those that are allowed, or a text is empty, too long, or not UTF-8.
    Argument = 1012, "bad argument";
    /// Call `mender_client_init` first.
    NotInitialised = 1021, "client is not initialised";
    /// Call `mender_client_exit` before another `mender_client_init`.
    AlreadyInitialised = 1022, "client is initialised already";
    /// Call `mender_client_activate` first.
    NotActive = 1023, "client is not active";
    /// The call must come before `mender_client_activate`.
    AlreadyActive = 1024, "client is active already";
    /// The client is at work in another thread, or the call comes from one of its callbacks.
    Busy = 1025, "client is busy";
    /// More update modules than the client has room for, or a second one for the same payload type.
    ModuleTable = 1026, "no room for the module";
    /// The firmware was built without what is asked for. On Zephyr, look at the `MENDER_MCU_*` options.
    Unsupported = 1027, "not built in";
    /// There is no deployment that could be aborted.
    NoDeployment = 1028, "no deployment in progress";
    /// The deployment is past its commit, is ending already, or has no way back.
    TooLate = 1029, "too late to abort";
    /// An update is being installed or proved. It confirms its image itself, or falls back.
    InDeployment = 1030, "deployment in progress";

    // ---- 11xx: JSON
    /// The text is not JSON (RFC 8259), or it ended too early.
    JsonSyntax = 1101, "malformed JSON";
    /// Objects or arrays are nested deeper than the client follows.
    JsonDepth = 1102, "JSON too deep";
    /// A string has a bad escape, a lone surrogate, a control character or invalid UTF-8.
    JsonText = 1103, "bad text in JSON";

    // ---- 11xx: device API
    /// A URL is not http or https, has no host, a user, a fragment, a bad port or characters that do not belong there.
    Url = 1111, "unusable URL";
    /// A signature was asked for that cannot exist. The crypto port returned zeros.
    Signature = 1112, "unusable signature";
    /// The peer did not answer with HTTP/1.1: garbage, HTTP/0.9, a folded or malformed header line, an unasked switch of protocols.
    HttpSyntax = 1121, "not HTTP/1.1";
    /// The headers, or a chunk's size line, are longer or more than the client reads, or a header it needs is too long.
    HttpHeaders = 1122, "headers too long";
    /// Content-Length is malformed, contradictory or above 4 GiB, or there is a transfer coding that was not asked for.
    HttpFraming = 1123, "unclear reply length";
    /// A chunked body is malformed.
    HttpChunk = 1124, "malformed chunk";
    /// The body is compressed although that was not asked for. Look for a proxy.
    HttpEncoding = 1125, "unasked encoding";
    /// The body is longer than the client takes.
    HttpTooLong = 1126, "reply too long";
    /// The peer closed the connection before it sent any of the reply.
    HttpClosed = 1127, "closed before the reply";
    /// The peer closed the connection within the reply.
    HttpTruncated = 1128, "reply cut short";
    /// The server's answer to the authentication request is not a JSON Web Token.
    Token = 1131, "malformed token";
    /// The token is longer than the buffer for it. Raise the buffer's size.
    TokenTooLong = 1132, "token too long";
    /// Deployment instructions lack the id, the artifact's name, its URL or its device types.
    OfferMissing = 1141, "incomplete offer";
    /// Deployment instructions have a member twice.
    OfferDuplicate = 1142, "ambiguous offer";
    /// A member of the deployment instructions is of another JSON type than it should be.
    OfferType = 1143, "wrong type in the offer";
    /// The deployment's id is not a UUID.
    OfferId = 1144, "malformed deployment id";
    /// The artifact's name is empty or has control characters.
    OfferName = 1145, "malformed artifact name";
    /// The artifact's name or URL is longer than the client keeps. Raise the URL buffer's size.
    OfferTooLong = 1146, "offer too long";
    /// The artifact is not for this device's type.
    OfferDevice = 1147, "for other device types";

    /// A URL asks for clear text (`http`), and that is not allowed.
    ClearText = 1151, "clear text not allowed";
    /// The server does not accept the device: not yet accepted, rejected, or its token is not good.
    Unauthorized = 1152, "device is not accepted";
    /// The server limits the rate of requests; the client comes back when it says.
    RateLimited = 1153, "told to come later";
    /// The server answered with a status the client has no use for.
    ServerStatus = 1154, "unexpected reply";
    /// The artifact store redirects too often, or without a usable address.
    Redirect = 1155, "bad redirect";
    /// The artifact store refuses the download.
    DownloadStatus = 1156, "artifact store refused it";
    /// The artifact changed between two parts of its download.
    DownloadChanged = 1157, "artifact changed meanwhile";

    // ---- 12xx: artifact
    /// The checksum of a tar header does not fit its bytes: the download is damaged or no tar archive at all.
    TarChecksum = 1201, "wrong tar checksum";
    /// A tar header has neither the POSIX (`ustar`) nor GNU's magic. Old v7 archives are not read.
    TarMagic = 1202, "neither ustar nor GNU tar";
    /// The size in a tar header is no octal number, is above 4 GiB, or does not fit into the archive around it.
    TarSize = 1203, "bad size in tar";
    /// A tar entry is a link, device, directory or another thing that artifacts do not hold. GNU long names are not read: PAX does it.
    TarType = 1204, "unsupported tar entry";
    /// A name in the archive is too long or has a directory in the prefix field.
    TarName = 1205, "bad name in tar";
    /// A PAX extended header has wrong record lengths, is too long, sets a size, or belongs to no entry.
    TarPax = 1206, "bad PAX header";
    /// A tar archive must end with two zero blocks, and only a few zero blocks may follow.
    TarEnd = 1207, "bad end of a tar archive";
    /// The artifact, or an archive inside it, ended too early.
    ArtifactTruncated = 1208, "artifact ended too early";
    /// The artifact holds a member that format version 3 does not have.
    MemberUnknown = 1210, "unknown member";
    /// A member of the artifact is missing, comes twice, or comes at the wrong place.
    MemberOrder = 1211, "members missing, twice or out of order";
    /// A member of the artifact is larger than the client accepts (see `limits.rs`).
    MemberSize = 1212, "member too large";
    /// `manifest-augment` and `header-augment.tar` are not covered by the signature; such artifacts are refused.
    Augmented = 1213, "augmented artifact";
    /// Write the artifact with `--compression none`.
    CompressedGzip = 1214, "gzip-compressed artifact";
    /// Write the artifact with `--compression none`.
    CompressedXz = 1215, "xz-compressed artifact";
    /// Write the artifact with `--compression none`.
    CompressedZstd = 1216, "zstd-compressed artifact";
    /// Only artifact format version 3 is read.
    FormatVersion = 1220, "unsupported format version";
    /// A line of the manifest is not a lowercase SHA-256, two spaces, a known name and a line feed, or `version` or the header is not listed.
    Manifest = 1221, "malformed manifest";
    /// The manifest lists a name twice.
    ManifestTwice = 1222, "name twice in the manifest";
    /// The manifest lists more payload files than the client accepts.
    ManifestFull = 1223, "too many payload files";
    /// `version` is not the one the manifest was made for.
    VersionHash = 1224, "wrong checksum of version";
    /// The header is not the one the manifest was made for.
    HeaderHash = 1225, "wrong checksum of the header";
    /// A payload file is not the one the manifest was made for.
    FileHash = 1226, "wrong checksum of a payload file";
    /// The name of a payload file has characters other than letters, digits and `_-.,`.
    FileName = 1227, "bad payload file name";
    /// The artifact holds a payload file that the manifest does not list.
    FileUnlisted = 1228, "payload file not in the manifest";
    /// The artifact holds a payload file twice.
    FileTwice = 1229, "payload file twice";
    /// The manifest lists a payload file that the artifact does not hold.
    FileMissing = 1230, "payload file missing";
    /// A verification key is configured and the artifact is not signed.
    SignatureMissing = 1231, "artifact is not signed";
    /// `manifest.sig` is not base64, or not of a signature's length.
    SignatureFormat = 1232, "malformed artifact signature";
    /// No configured key made this signature of this manifest.
    SignatureWrong = 1233, "signature does not verify";
    /// `header-info` is not the JSON object of format version 3.
    HeaderInfo = 1240, "malformed header-info";
    /// `header-info` must name exactly one payload, with a type.
    Payloads = 1241, "not exactly one payload";
    /// `header-info` has no artifact name, or one that is empty, too long or has control characters.
    ArtifactName = 1242, "bad artifact name";
    /// `header-info` must list at least one compatible device type.
    DeviceTypeMissing = 1243, "names no device type";
    /// `type-info` is not the JSON object of format version 3.
    TypeInfo = 1244, "malformed type-info";
    /// `type-info` must repeat the payload type of `header-info`.
    PayloadTypeDiffers = 1245, "payload types differ";
    /// A payload must not provide `artifact_name` or `device_type`.
    ProvidesReserved = 1246, "reserved name in provides";
    /// A name comes twice in one JSON object of the header, or in the provides or depends of the artifact.
    HeaderKeyTwice = 1247, "name twice in the header";
    /// Too many provides or depends, or one is longer than the client accepts (see `limits.rs`).
    HeaderLimit = 1248, "header over a limit";
    /// A text in the header has control characters.
    HeaderText = 1249, "control character in the header";
    /// A microcontroller cannot run state scripts; an artifact that needs them is refused.
    StateScripts = 1250, "state scripts are not supported";
    /// `meta-data` is not a JSON object.
    MetaData = 1251, "malformed meta-data";
    /// An artifact without payload type has payload files or meta-data.
    EmptyPayload = 1252, "payload without a type";

    // ---- 13xx: records
    /// A record on flash is torn or has a wrong checksum. The other copy is used; if both are, the client starts clean.
    RecordDamaged = 1301, "damaged record";
    /// A record was written by a firmware whose format this one cannot read. The client starts clean.
    RecordFormat = 1302, "record of unknown format";
    /// A record does not fit its buffer.
    RecordTooLong = 1303, "record too long";

    // ---- 14xx: update
    /// The deployment was aborted on the server, or the server no longer knows it.
    Aborted = 1401, "deployment aborted on the server";
    /// Power was lost, or the device restarted, while the update was being downloaded or installed.
    Interrupted = 1402, "interrupted by a restart";
    /// The new image ran and was not confirmed, so MCUboot went back to the old one. Look for a crash or a watchdog reset in the new image. Or it never ran: MCUboot is built for another swap mode than the application, and does not tell (docs/building.md).
    Reverted = 1403, "reverted by the boot loader";
    /// MCUboot did not accept the new image: wrong signing key, size, or a downgrade.
    Refused = 1404, "refused by the boot loader";
    /// The new image was confirmed, but the old one runs after a restart.
    CommitLost = 1405, "commit did not last";
    /// The application's self-test failed in the new firmware.
    SelfTest = 1406, "self-test of the new firmware failed";
    /// The new firmware could not reach the server often enough before the commit.
    ServerUnreachable = 1407, "cannot reach the server";
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
    DependsUnmet = 1416, "depends on what this device does not provide";
    /// What the device would provide with the artifact is more than it keeps: 16 pairs, and 243 bytes with 3 for each pair, the artifact's name among them. An artifact may clear what others have left: `mender-artifact write … --clears-provides '*'`.
    ProvidesFull = 1417, "provides do not fit";
    /// No update module is registered for the payload type.
    PayloadUnknown = 1418, "no update module for the payload type";
    /// A `zephyr-image` payload must be exactly one file.
    ImageFiles = 1419, "not exactly one image file";
    /// The payload does not begin with MCUboot's image magic. Was the signed image packed?
    ImageMagic = 1420, "payload is not an MCUboot image";
    /// The sizes in the image header do not agree with the payload's.
    ImageSize = 1421, "image header does not agree with the payload size";
    /// The image has no SHA-256 TLV, so it could not be recognised after the restart.
    ImageHash = 1422, "image has no SHA-256 TLV";
    /// The running image is unconfirmed: the slot holds the image to fall back to.
    Unconfirmed = 1423, "running image is not confirmed";
    /// The boot loader cannot go back to the old image (overwrite-only mode, or the new image is already confirmed).
    CannotRevert = 1424, "no way back to the old image";
    /// The old software could not be restored; the artifact name carries `_INCONSISTENT`.
    RollbackFailed = 1425, "rollback failed";
    /// Somebody at the device, or its application, aborted the deployment.
    AbortedHere = 1426, "deployment aborted on the device";
    /// This very image was tried before and did not prove itself. Deploy a better one, or have it tried again: `mender_client_retry`.
    RevertedBefore = 1427, "image was reverted before and is not tried again";

    // ---- 15xx: ports (the errno is in the log)
    /// No connection. The errno says where it ended, on Zephyr: EHOSTUNREACH the name has no address; ECONNREFUSED nobody listens there; ETIMEDOUT no answer in time (`CONFIG_NET_SOCKETS_CONNECT_TIMEOUT`); ECONNABORTED the TLS handshake failed: the server's authority is not among the CA files, its name is not in the certificate, it asks for a client certificate, or they have no algorithm in common; EPROTONOSUPPORT there is no TLS in the firmware; ENOMEM Mbed TLS's heap is too small. Certificates' dates count only with `CONFIG_MENDER_MCU_TRUSTED_CLOCK`.
    Connect = 1501, "connecting failed";
    /// The connection broke while sending.
    Send = 1502, "sending failed";
    /// The connection broke while receiving.
    Receive = 1503, "receiving failed";
    // 1504 was `Closed`: 1127 and 1128 say when.
    /// Nothing came from the peer for the idle time-out.
    IdleTimeout = 1505, "peer is silent";
    /// A request took longer than its total time-out.
    TotalTimeout = 1506, "request took too long";
    /// The slot could not be opened. The errno says why, on Zephyr: ENOSPC the image does not fit; ENOTSUP MCUboot is built for another swap mode; EBUSY MCUmgr writes the slot, or the running image is not confirmed; others are of flash.
    SlotBegin = 1510, "slot could not be opened";
    /// Writing the slot failed.
    SlotWrite = 1511, "writing the slot failed";
    /// Reading the slot back failed.
    SlotRead = 1512, "reading the slot failed";
    /// The slot could not be invalidated.
    SlotInvalidate = 1513, "invalidating the slot failed";
    /// The running image's hash could not be read.
    RunningHash = 1520, "reading the running hash failed";
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
    /// A device key was made once and is gone. Another is another device to the server, so a person or the application decides: `mender_client_authenticate_now()` or `mender auth` makes it, and the server asks for the device to be accepted.
    KeyLost = 1541, "device key is lost";
    /// The device key could not be made.
    KeyMake = 1542, "making the key failed";
    /// Signing with the device key failed.
    Sign = 1543, "signing failed";

    // ---- 19xx: internal
    /// A state that the program excludes was reached. Please report it.
    Internal = 1901, "internal error";
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;

    #[test]
    fn numbers_are_unique_and_lead_back_to_their_error() {
        for e in Error::ALL {
            assert_eq!(Error::from_number(e.number()), Some(*e), "{}", e.name());
            assert!((1000..2000).contains(&e.number()));
        }
    }

    #[cfg(feature = "error-texts")]
    #[test]
    fn every_error_has_a_text_of_its_own_that_rust_and_c_read_alike() {
        let mut texts: std::vec::Vec<_> = Error::ALL.iter().map(|e| e.text()).collect();
        for e in Error::ALL {
            assert!(!e.text().is_empty() && !e.text().ends_with('.'));
            assert_eq!(e.c_text().to_str(), Ok(e.text()));
        }
        texts.sort_unstable();
        assert!(texts.windows(2).all(|two| two[0] != two[1]), "{texts:?}");
    }
}
