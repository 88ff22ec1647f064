// SPDX-License-Identifier: Apache-2.0
//! Every bound of the client, with its reason. Sizes are bytes unless the name says otherwise.

/// Longest artifact name, device type or artifact group. mender-artifact 4 writes at most 256.
pub const NAME_MAX: usize = 256;
/// Longest payload type; Mender's own are below 32.
pub const PAYLOAD_TYPE_MAX: usize = 32;
/// Longest key of a provides or depends pair.
pub const PAIR_KEY_MAX: usize = 64;
/// Longest value of a provides or depends pair.
pub const PAIR_VALUE_MAX: usize = 256;
/// Most pairs in one provides set, `artifact_name` included; a bit mask of them fits `u16`.
pub const PAIRS_MAX: usize = 16;
/// A deployment id is a UUID: 36 lowercase hexadecimal digits and hyphens.
pub const DEPLOYMENT_ID_LEN: usize = 36;
/// Longest host name (RFC 1035 §2.3.4).
pub const HOST_MAX: usize = 253;

/// Depth of JSON nesting that is followed; Mender's own messages use 4.
pub const JSON_DEPTH_MAX: u8 = 8;
/// One JSON text inside an artifact header.
pub const HEADER_JSON_MAX: u32 = 8 * 1024;
/// `header.tar`, uncompressed.
pub const HEADER_TAR_MAX: u32 = 16 * 1024;
/// The `version` file: 31 bytes as Mender writes it, with room for spaces.
pub const VERSION_MAX: u32 = 128;
/// The `manifest` file.
pub const MANIFEST_MAX: u32 = 4 * 1024;
/// Entries in the manifest: `version`, `header.tar` and the payload files.
pub const MANIFEST_ENTRIES_MAX: usize = 16;
/// Payload files of one artifact.
pub const FILES_MAX: usize = MANIFEST_ENTRIES_MAX - 2;
/// The `manifest.sig` file: RSA-4096 in base64 is 684.
pub const SIGNATURE_MAX: u32 = 1024;
/// A decoded artifact signature: RSA-4096.
pub const SIGNATURE_BYTES_MAX: usize = 512;
/// Body of one PAX extended header.
pub const PAX_MAX: u32 = 1024;
/// Name of a payload file, PAX names included.
pub const FILE_NAME_MAX: usize = 128;
/// Zero blocks tolerated after the end marker: GNU tar pads to 10 KiB records.
pub const TRAILING_ZERO_BLOCKS_MAX: u32 = 40;

/// Header section of one HTTP reply.
pub const HTTP_HEADERS_MAX: u32 = 8 * 1024;
/// Header fields of one HTTP reply.
pub const HTTP_FIELDS_MAX: u8 = 64;
/// Interim (1xx) replies before the final one.
pub const HTTP_INTERIM_MAX: u8 = 8;
/// Value of a header field that the client reads; the longest is `Content-Range: bytes a-b/total`.
pub const HTTP_VALUE_MAX: usize = 72;
/// Size line of one chunk, extensions included.
pub const HTTP_CHUNK_LINE_MAX: u32 = 256;
/// Longest entity tag that is kept; S3 writes 34 to 40.
pub const ETAG_MAX: usize = 64;
/// Longest substate of a status report that the server takes (protocol §2.3).
pub const SUBSTATE_MAX: usize = 200;
/// Body of one API reply: more than any server sends, and a bound on what is read and thrown away.
pub const API_REPLY_MAX: u32 = 64 * 1024;
/// Hops of one artifact download.
pub const REDIRECTS_MAX: u8 = 3;

/// Smallest IO buffer: one record (see `mender-records`) and one header line of an artifact store must fit.
pub const IO_BUFFER_MIN: usize = 1024;
/// Scratch for one JSON string, manifest line, PAX record or decoded signature.
pub const SCRATCH: usize = 512;

/// What is put behind the name of an artifact that could not be undone (protocol §7.11).
pub const INCONSISTENT: &str = "_INCONSISTENT";
/// The provides that a device may have, its artifact's name among them, as encoded pairs: 3 bytes, key and value each.
pub const PROVIDES_STORED: usize = 243;
/// The stored provides and those of the artifact in hand, together: the artifact that replaces them must find room beside them, or the
/// device would refuse all that come after; and the name may get longer.
pub const PROVIDES: usize = 2 * (PROVIDES_STORED + INCONSISTENT.len());
/// Record writes of one deployment before it counts as a loop; Mender's own clients use 28.
pub const RECORD_WRITES_MAX: u8 = 28;
/// The deployment log, in RAM and as a record: some ten entries.
pub const DEPLOYMENT_LOG: usize = 512;
/// The identity, as encoded pairs.
pub const IDENTITY: usize = 256;
/// Restarts of one deployment.
pub const REBOOTS_MAX: u8 = 4;
/// Failures of the same deployment in a row before it is refused without a download.
pub const FAILURES_MAX: u8 = 3;
