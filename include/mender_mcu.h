/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Mender client for microcontrollers: the application's interface.
 *
 * Functions return 0, or a negative code; outputs are written only on success, but where it is said; every pointer is checked for NULL.
 * The library cannot be linked beside another Mender client: both define `mender_` functions.
 */
/* Made from rust/ffi by `cargo xtask header`: edit there. */

#ifndef MENDER_MCU_H_
#define MENDER_MCU_H_

#include <stddef.h>
#include <stdint.h>


/** Bad server URL: The server URL of the configuration is not `https://host[:port]` (or `http://` where plain HTTP is allowed). */
#define MENDER_E_CONFIG_SERVER (-1001)

/** Bad configured name: Device type or artifact name of the configuration is empty or too long. */
#define MENDER_E_CONFIG_NAME (-1002)

/** Buffer too small: A buffer lent to the client is too small. */
#define MENDER_E_CONFIG_BUFFER (-1003)

/** Bad identity: The identity has no pair, or more than fits. */
#define MENDER_E_CONFIG_IDENTITY (-1004)

/** NULL argument: A pointer that must not be NULL is, or it is not aligned for its type. */
#define MENDER_E_NULL_POINTER (-1011)

/** Bad argument: A number is none of those that are allowed, or a text is empty, too long, or not UTF-8. */
#define MENDER_E_ARGUMENT (-1012)

/** Client is not initialised: Call `mender_client_init` first. */
#define MENDER_E_NOT_INITIALISED (-1021)

/** Client is initialised already: Call `mender_client_exit` before another `mender_client_init`. */
#define MENDER_E_ALREADY_INITIALISED (-1022)

/** Client is not active: Call `mender_client_activate` first. */
#define MENDER_E_NOT_ACTIVE (-1023)

/** Client is active already: The call must come before `mender_client_activate`. */
#define MENDER_E_ALREADY_ACTIVE (-1024)

/** Client is busy: The client is at work in another thread, or the call comes from one of its callbacks. */
#define MENDER_E_BUSY (-1025)

/** No room for the module: More update modules than the client has room for, or a second one for the same payload type. */
#define MENDER_E_MODULE_TABLE (-1026)

/** Not built in: The firmware was built without what is asked for. On Zephyr, look at the `MENDER_MCU_*` options. */
#define MENDER_E_UNSUPPORTED (-1027)

/** No deployment in progress: There is no deployment that could be aborted. */
#define MENDER_E_NO_DEPLOYMENT (-1028)

/** Too late to abort: The deployment is past its commit, is ending already, or has no way back. */
#define MENDER_E_TOO_LATE (-1029)

/** Deployment in progress: An update is being installed or proved. It confirms its image itself, or falls back. */
#define MENDER_E_IN_DEPLOYMENT (-1030)

/** Malformed JSON: The text is not JSON (RFC 8259), or it ended too early. */
#define MENDER_E_JSON_SYNTAX (-1101)

/** JSON too deep: Objects or arrays are nested deeper than the client follows. */
#define MENDER_E_JSON_DEPTH (-1102)

/** Bad text in JSON: A string has a bad escape, a lone surrogate, a control character or invalid UTF-8. */
#define MENDER_E_JSON_TEXT (-1103)

/** Unusable URL: A URL is not http or https, has no host, a user, a fragment, a bad port or characters that do not belong there. */
#define MENDER_E_URL (-1111)

/** Unusable signature: A signature was asked for that cannot exist. The crypto port returned zeros. */
#define MENDER_E_SIGNATURE (-1112)

/** Not HTTP/1.1: The peer did not answer with HTTP/1.1: garbage, HTTP/0.9, a folded or malformed header line, an unasked switch of protocols. */
#define MENDER_E_HTTP_SYNTAX (-1121)

/** Headers too long: The headers, or a chunk's size line, are longer or more than the client reads, or a header it needs is too long. */
#define MENDER_E_HTTP_HEADERS (-1122)

/** Unclear reply length: Content-Length is malformed, contradictory or above 4 GiB, or there is a transfer coding that was not asked for. */
#define MENDER_E_HTTP_FRAMING (-1123)

/** Malformed chunk: A chunked body is malformed. */
#define MENDER_E_HTTP_CHUNK (-1124)

/** Unasked encoding: The body is compressed although that was not asked for. Look for a proxy. */
#define MENDER_E_HTTP_ENCODING (-1125)

/** Reply too long: The body is longer than the client takes. */
#define MENDER_E_HTTP_TOO_LONG (-1126)

/** Closed before the reply: The peer closed the connection before it sent any of the reply. */
#define MENDER_E_HTTP_CLOSED (-1127)

/** Reply cut short: The peer closed the connection within the reply. */
#define MENDER_E_HTTP_TRUNCATED (-1128)

/** Malformed token: The server's answer to the authentication request is not a JSON Web Token. */
#define MENDER_E_TOKEN (-1131)

/** Token too long: The token is longer than the buffer for it. Raise the buffer's size. */
#define MENDER_E_TOKEN_TOO_LONG (-1132)

/** Incomplete offer: Deployment instructions lack the id, the artifact's name, its URL or its device types. */
#define MENDER_E_OFFER_MISSING (-1141)

/** Ambiguous offer: Deployment instructions have a member twice. */
#define MENDER_E_OFFER_DUPLICATE (-1142)

/** Wrong type in the offer: A member of the deployment instructions is of another JSON type than it should be. */
#define MENDER_E_OFFER_TYPE (-1143)

/** Malformed deployment id: The deployment's id is not a UUID. */
#define MENDER_E_OFFER_ID (-1144)

/** Malformed artifact name: The artifact's name is empty or has control characters. */
#define MENDER_E_OFFER_NAME (-1145)

/** Offer too long: The artifact's name or URL is longer than the client keeps. Raise the URL buffer's size. */
#define MENDER_E_OFFER_TOO_LONG (-1146)

/** For other device types: The artifact is not for this device's type. */
#define MENDER_E_OFFER_DEVICE (-1147)

/** Clear text not allowed: A URL asks for clear text (`http`), and that is not allowed. */
#define MENDER_E_CLEAR_TEXT (-1151)

/** Device is not accepted: The server does not accept the device: not yet accepted, rejected, or its token is not good. */
#define MENDER_E_UNAUTHORIZED (-1152)

/** Told to come later: The server limits the rate of requests; the client comes back when it says. */
#define MENDER_E_RATE_LIMITED (-1153)

/** Unexpected reply: The server answered with a status the client has no use for. */
#define MENDER_E_SERVER_STATUS (-1154)

/** Bad redirect: The artifact store redirects too often, or without a usable address. */
#define MENDER_E_REDIRECT (-1155)

/** Artifact store refused it: The artifact store refuses the download. */
#define MENDER_E_DOWNLOAD_STATUS (-1156)

/** Artifact changed meanwhile: The artifact changed between two parts of its download. */
#define MENDER_E_DOWNLOAD_CHANGED (-1157)

/** Wrong tar checksum: The checksum of a tar header does not fit its bytes: the download is damaged or no tar archive at all. */
#define MENDER_E_TAR_CHECKSUM (-1201)

/** Neither ustar nor GNU tar: A tar header has neither the POSIX (`ustar`) nor GNU's magic. Old v7 archives are not read. */
#define MENDER_E_TAR_MAGIC (-1202)

/** Bad size in tar: The size in a tar header is no octal number, is above 4 GiB, or does not fit into the archive around it. */
#define MENDER_E_TAR_SIZE (-1203)

/** Unsupported tar entry: A tar entry is a link, device, directory or another thing that artifacts do not hold. GNU long names are not read: PAX does it. */
#define MENDER_E_TAR_TYPE (-1204)

/** Bad name in tar: A name in the archive is too long or has a directory in the prefix field. */
#define MENDER_E_TAR_NAME (-1205)

/** Bad PAX header: A PAX extended header has wrong record lengths, is too long, sets a size, or belongs to no entry. */
#define MENDER_E_TAR_PAX (-1206)

/** Bad end of a tar archive: A tar archive must end with two zero blocks, and only a few zero blocks may follow. */
#define MENDER_E_TAR_END (-1207)

/** Artifact ended too early: The artifact, or an archive inside it, ended too early. */
#define MENDER_E_ARTIFACT_TRUNCATED (-1208)

/** Unknown member: The artifact holds a member that format version 3 does not have. */
#define MENDER_E_MEMBER_UNKNOWN (-1210)

/** Members missing, twice or out of order: A member of the artifact is missing, comes twice, or comes at the wrong place. */
#define MENDER_E_MEMBER_ORDER (-1211)

/** Member too large: A member of the artifact is larger than the client accepts (see `limits.rs`). */
#define MENDER_E_MEMBER_SIZE (-1212)

/** Augmented artifact: `manifest-augment` and `header-augment.tar` are not covered by the signature; such artifacts are refused. */
#define MENDER_E_AUGMENTED (-1213)

/** Gzip-compressed artifact: Write the artifact with `--compression none`. */
#define MENDER_E_COMPRESSED_GZIP (-1214)

/** Xz-compressed artifact: Write the artifact with `--compression none`. */
#define MENDER_E_COMPRESSED_XZ (-1215)

/** Zstd-compressed artifact: Write the artifact with `--compression none`. */
#define MENDER_E_COMPRESSED_ZSTD (-1216)

/** Unsupported format version: Only artifact format version 3 is read. */
#define MENDER_E_FORMAT_VERSION (-1220)

/** Malformed manifest: A line of the manifest is not a lowercase SHA-256, two spaces, a known name and a line feed, or `version` or the header is not listed. */
#define MENDER_E_MANIFEST (-1221)

/** Name twice in the manifest: The manifest lists a name twice. */
#define MENDER_E_MANIFEST_TWICE (-1222)

/** Too many payload files: The manifest lists more payload files than the client accepts. */
#define MENDER_E_MANIFEST_FULL (-1223)

/** Wrong checksum of version: `version` is not the one the manifest was made for. */
#define MENDER_E_VERSION_HASH (-1224)

/** Wrong checksum of the header: The header is not the one the manifest was made for. */
#define MENDER_E_HEADER_HASH (-1225)

/** Wrong checksum of a payload file: A payload file is not the one the manifest was made for. */
#define MENDER_E_FILE_HASH (-1226)

/** Bad payload file name: The name of a payload file has characters other than letters, digits and `_-.,`. */
#define MENDER_E_FILE_NAME (-1227)

/** Payload file not in the manifest: The artifact holds a payload file that the manifest does not list. */
#define MENDER_E_FILE_UNLISTED (-1228)

/** Payload file twice: The artifact holds a payload file twice. */
#define MENDER_E_FILE_TWICE (-1229)

/** Payload file missing: The manifest lists a payload file that the artifact does not hold. */
#define MENDER_E_FILE_MISSING (-1230)

/** Artifact is not signed: A verification key is configured and the artifact is not signed. */
#define MENDER_E_SIGNATURE_MISSING (-1231)

/** Malformed artifact signature: `manifest.sig` is not base64, or not of a signature's length. */
#define MENDER_E_SIGNATURE_FORMAT (-1232)

/** Signature does not verify: No configured key made this signature of this manifest. */
#define MENDER_E_SIGNATURE_WRONG (-1233)

/** Malformed header-info: `header-info` is not the JSON object of format version 3. */
#define MENDER_E_HEADER_INFO (-1240)

/** Not exactly one payload: `header-info` must name exactly one payload, with a type. */
#define MENDER_E_PAYLOADS (-1241)

/** Bad artifact name: `header-info` has no artifact name, or one that is empty, too long or has control characters. */
#define MENDER_E_ARTIFACT_NAME (-1242)

/** Names no device type: `header-info` must list at least one compatible device type. */
#define MENDER_E_DEVICE_TYPE_MISSING (-1243)

/** Malformed type-info: `type-info` is not the JSON object of format version 3. */
#define MENDER_E_TYPE_INFO (-1244)

/** Payload types differ: `type-info` must repeat the payload type of `header-info`. */
#define MENDER_E_PAYLOAD_TYPE_DIFFERS (-1245)

/** Reserved name in provides: A payload must not provide `artifact_name` or `device_type`. */
#define MENDER_E_PROVIDES_RESERVED (-1246)

/** Name twice in the header: A name comes twice in one JSON object of the header, or in the provides or depends of the artifact. */
#define MENDER_E_HEADER_KEY_TWICE (-1247)

/** Header over a limit: Too many provides or depends, or one is longer than the client accepts (see `limits.rs`). */
#define MENDER_E_HEADER_LIMIT (-1248)

/** Control character in the header: A text in the header has control characters. */
#define MENDER_E_HEADER_TEXT (-1249)

/** State scripts are not supported: A microcontroller cannot run state scripts; an artifact that needs them is refused. */
#define MENDER_E_STATE_SCRIPTS (-1250)

/** Malformed meta-data: `meta-data` is not a JSON object. */
#define MENDER_E_META_DATA (-1251)

/** Payload without a type: An artifact without payload type has payload files or meta-data. */
#define MENDER_E_EMPTY_PAYLOAD (-1252)

/** Damaged record: A record on flash is torn or has a wrong checksum. The other copy is used; if both are, the client starts clean. */
#define MENDER_E_RECORD_DAMAGED (-1301)

/** Record of unknown format: A record was written by a firmware whose format this one cannot read. The client starts clean. */
#define MENDER_E_RECORD_FORMAT (-1302)

/** Record too long: A record does not fit its buffer. */
#define MENDER_E_RECORD_TOO_LONG (-1303)

/** Deployment aborted on the server: The deployment was aborted on the server, or the server no longer knows it. */
#define MENDER_E_ABORTED (-1401)

/** Interrupted by a restart: Power was lost, or the device restarted, while the update was being downloaded or installed. */
#define MENDER_E_INTERRUPTED (-1402)

/** Reverted by the boot loader: The new image ran and was not confirmed, so MCUboot went back to the old one. Look for a crash or a watchdog reset in the new image. Or it never ran: MCUboot is built for another swap mode than the application, and does not tell (docs/building.md). */
#define MENDER_E_REVERTED (-1403)

/** Refused by the boot loader: MCUboot did not accept the new image: wrong signing key, size, or a downgrade. */
#define MENDER_E_REFUSED (-1404)

/** Commit did not last: The new image was confirmed, but the old one runs after a restart. */
#define MENDER_E_COMMIT_LOST (-1405)

/** Self-test of the new firmware failed: The application's self-test failed in the new firmware. */
#define MENDER_E_SELF_TEST (-1406)

/** Cannot reach the server: The new firmware could not reach the server often enough before the commit. */
#define MENDER_E_SERVER_UNREACHABLE (-1407)

/** Commit deadline passed: The new firmware was not committed within the commit deadline. */
#define MENDER_E_COMMIT_DEADLINE (-1408)

/** Refused by the application: The application refused the update. */
#define MENDER_E_APPLICATION_REFUSED (-1409)

/** Update module failed: An update module failed; its errno is in the log. */
#define MENDER_E_MODULE_FAILED (-1410)

/** Update loop detected: The deployment wrote its record more often than any healthy one does. */
#define MENDER_E_LOOP_DETECTED (-1411)

/** The same deployment failed repeatedly: The same deployment has failed several times in a row; it is refused without a download. */
#define MENDER_E_REPEATED_FAILURE (-1412)

/** Restart did not happen: The device was to restart and did not. */
#define MENDER_E_REBOOT_FAILED (-1413)

/** Artifact name differs from the deployment's: The artifact's name is not the deployment's. */
#define MENDER_E_NAME_MISMATCH (-1414)

/** Not for this device type: The artifact, or the deployment, is not for this device type. */
#define MENDER_E_DEVICE_TYPE (-1415)

/** Depends on what this device does not provide: The artifact depends on something this device does not provide. */
#define MENDER_E_DEPENDS_UNMET (-1416)

/** Provides do not fit: What the device would provide with the artifact is more than it keeps: 16 pairs, and 243 bytes with 3 for each pair, the artifact's name among them. An artifact may clear what others have left: `mender-artifact write … --clears-provides '*'`. */
#define MENDER_E_PROVIDES_FULL (-1417)

/** No update module for the payload type: No update module is registered for the payload type. */
#define MENDER_E_PAYLOAD_UNKNOWN (-1418)

/** Not exactly one image file: A `zephyr-image` payload must be exactly one file. */
#define MENDER_E_IMAGE_FILES (-1419)

/** Payload is not an MCUboot image: The payload does not begin with MCUboot's image magic. Was the signed image packed? */
#define MENDER_E_IMAGE_MAGIC (-1420)

/** Image header does not agree with the payload size: The sizes in the image header do not agree with the payload's. */
#define MENDER_E_IMAGE_SIZE (-1421)

/** Image has no SHA-256 TLV: The image has no SHA-256 TLV, so it could not be recognised after the restart. */
#define MENDER_E_IMAGE_HASH (-1422)

/** Running image is not confirmed: The running image is unconfirmed: the slot holds the image to fall back to. */
#define MENDER_E_UNCONFIRMED (-1423)

/** No way back to the old image: The boot loader cannot go back to the old image (overwrite-only mode, or the new image is already confirmed). */
#define MENDER_E_CANNOT_REVERT (-1424)

/** Rollback failed: The old software could not be restored; the artifact name carries `_INCONSISTENT`. */
#define MENDER_E_ROLLBACK_FAILED (-1425)

/** Deployment aborted on the device: Somebody at the device, or its application, aborted the deployment. */
#define MENDER_E_ABORTED_HERE (-1426)

/** Image was reverted before and is not tried again: This very image was tried before and did not prove itself. Deploy a better one, or have it tried again: `mender_client_retry`. */
#define MENDER_E_REVERTED_BEFORE (-1427)

/** Connecting failed: No connection. The errno says where it ended, on Zephyr: EHOSTUNREACH the name has no address; ECONNREFUSED nobody listens there; ETIMEDOUT no answer in time (`CONFIG_NET_SOCKETS_CONNECT_TIMEOUT`); ECONNABORTED the TLS handshake failed: the server's authority is not among the CA files, its name is not in the certificate, it asks for a client certificate, or they have no algorithm in common; EPROTONOSUPPORT there is no TLS in the firmware; ENOMEM Mbed TLS's heap is too small. Certificates' dates count only with `CONFIG_MENDER_MCU_TRUSTED_CLOCK`. */
#define MENDER_E_CONNECT (-1501)

/** Sending failed: The connection broke while sending. */
#define MENDER_E_SEND (-1502)

/** Receiving failed: The connection broke while receiving. */
#define MENDER_E_RECEIVE (-1503)

/** Peer is silent: Nothing came from the peer for the idle time-out. */
#define MENDER_E_IDLE_TIMEOUT (-1505)

/** Request took too long: A request took longer than its total time-out. */
#define MENDER_E_TOTAL_TIMEOUT (-1506)

/** Slot could not be opened: The slot could not be opened. The errno says why, on Zephyr: ENOSPC the image does not fit; ENOTSUP MCUboot is built for another swap mode; EBUSY MCUmgr writes the slot, or the running image is not confirmed; others are of flash. */
#define MENDER_E_SLOT_BEGIN (-1510)

/** Writing the slot failed: Writing the slot failed. */
#define MENDER_E_SLOT_WRITE (-1511)

/** Reading the slot failed: Reading the slot back failed. */
#define MENDER_E_SLOT_READ (-1512)

/** Invalidating the slot failed: The slot could not be invalidated. */
#define MENDER_E_SLOT_INVALIDATE (-1513)

/** Reading the running hash failed: The running image's hash could not be read. */
#define MENDER_E_RUNNING_HASH (-1520)

/** Confirming the image failed: The running image could not be confirmed. */
#define MENDER_E_CONFIRM (-1521)

/** Requesting the swap failed: The test swap could not be asked for. */
#define MENDER_E_REQUEST_SWAP (-1522)

/** Reading a record failed: A record could not be read. */
#define MENDER_E_STORE_READ (-1530)

/** Writing a record failed: A record could not be written. */
#define MENDER_E_STORE_WRITE (-1531)

/** Device key cannot be read: The device key could not be read. It is not made again: a key may well be there. */
#define MENDER_E_KEY_READ (-1540)

/** Device key is lost: A device key was made once and is gone. Another is another device to the server, so a person or the application decides: `mender_client_authenticate_now()` or `mender auth` makes it, and the server asks for the device to be accepted. */
#define MENDER_E_KEY_LOST (-1541)

/** Making the key failed: The device key could not be made. */
#define MENDER_E_KEY_MAKE (-1542)

/** Signing failed: Signing with the device key failed. */
#define MENDER_E_SIGN (-1543)

/** Internal error: A state that the program excludes was reached. Please report it. */
#define MENDER_E_INTERNAL (-1901)

/** Version of this header and its library. */
#define MENDER_MCU_VERSION "0.1.0"

/** Answer of a callback or a port: not done yet, call again. It is `-EAGAIN`; the port header checks the platform's value. */
#define MENDER_AGAIN (-11)

/** Answer of `mender_client_exit`: it is done at the end of the poll that is running now. */
#define MENDER_PENDING 1

/** Longest time `mender_client_poll` asks for, in ms. */
#define MENDER_POLL_MAX_MS 3600000

/** Update modules that can be registered. */
#define MENDER_MODULES_MAX 4

/** Bytes of a buffer that a public key fits in: PEM with line feeds, and a NUL. */
#define MENDER_PUBLIC_KEY_MAX 179

/** Smallest IO buffer, in bytes. */
#define MENDER_IO_BUFFER_MIN 1024

/** Token buffer that takes what servers send today, in bytes. */
#define MENDER_TOKEN_BUFFER 1536

/** URI buffer that takes the artifact URLs of most stores, in bytes; 2048 takes all. */
#define MENDER_URI_BUFFER 1024

/** The plan a device is billed by: none is sent. */
#define MENDER_TIER_NONE 0

/** `standard`. */
#define MENDER_TIER_STANDARD 1

/** `micro`. */
#define MENDER_TIER_MICRO 2

/** `system`. */
#define MENDER_TIER_SYSTEM 3

/** Phase of a deployment: there is none. */
#define MENDER_PHASE_IDLE 0

/** The artifact is downloaded. */
#define MENDER_PHASE_DOWNLOAD 1

/** The artifact is installed. */
#define MENDER_PHASE_INSTALL 2

/** The device restarts, or the new software proves itself. */
#define MENDER_PHASE_VERIFY_REBOOT 3

/** The new software is made permanent. */
#define MENDER_PHASE_COMMIT 4

/** Done; the server must still hear `success`. */
#define MENDER_PHASE_SUCCESS_PENDING 5

/** The installation is undone. */
#define MENDER_PHASE_ROLLBACK 6

/** The device restarts into the old software. */
#define MENDER_PHASE_ROLLBACK_REBOOT 7

/** Failed; the server must still hear `failure`. */
#define MENDER_PHASE_FAILURE_PENDING 8

/** Stage that is asked for approval: the artifact is downloaded and verified. */
#define MENDER_STAGE_INSTALL 0

/** The next step restarts the device. */
#define MENDER_STAGE_REBOOT 1

/** The new software has proved itself and is about to be made permanent. */
#define MENDER_STAGE_COMMIT 2

/** Notice: the server accepted the device. */
#define MENDER_NOTICE_AUTHENTICATED 1

/** A deployment was offered and begins. */
#define MENDER_NOTICE_DEPLOYMENT_STARTED 2

/** Artifact bytes came in: `received` of `total`. */
#define MENDER_NOTICE_PROGRESS 3

/** The device restarts now. */
#define MENDER_NOTICE_RESTARTING 4

/** The deployment ended well. */
#define MENDER_NOTICE_DEPLOYMENT_SUCCEEDED 5

/** The deployment failed or was aborted; `error` says why. */
#define MENDER_NOTICE_DEPLOYMENT_FAILED 6

/** Log level: a deployment is lost or a person is needed. */
#define MENDER_LEVEL_ERROR 1

/** Something failed and is tried again. */
#define MENDER_LEVEL_WARNING 2

/** One line per change of state. */
#define MENDER_LEVEL_INFO 3

/** One line per message. */
#define MENDER_LEVEL_DEBUG 4

/** A receiver of name-value pairs. It is good only within the call that got it. */
struct mender_pairs;

/** What the application is told. */
struct mender_notice {
	/** One of `MENDER_NOTICE_…`; an application ignores those it does not know. */
	int32_t kind;
	/** Why the deployment failed, a negative code; 0 in other notices. */
	int32_t error;
	/** Artifact bytes received so far; 0 in other notices. */
	uint32_t received;
	/** Artifact bytes in all, or 0 where that is not known. */
	uint32_t total;
};

/**
 * The application's callbacks. Each may be NULL. They run within `mender_client_poll`, may call every `mender_` function but
 * `mender_client_poll` and `mender_client_wait`, and should return soon.
 */
struct mender_callbacks {
	/** First argument of every callback. */
	void *user;
	/**
	 * Gives the device's identity to `mender_pairs_add`: at least one pair, and as many as come to 256 bytes, with 3 for each pair
	 * beside its key and value. The same at each call, for the whole life of the device.
	 * NULL: the platform's, for instance the MAC address. Returns 0, or a negative number: the device cannot authenticate now.
	 */
	int32_t (*identity)(void *user, struct mender_pairs *pairs);
	/**
	 * May the update go on? `stage` is one of `MENDER_STAGE_…`. Returns 0: go on; `MENDER_AGAIN`: ask again in some seconds;
	 * anything else: refuse, the deployment fails. NULL: go on.
	 */
	int32_t (*approve)(void *user, int32_t stage);
	/**
	 * Tests the new firmware before it is made permanent. Returns 0: good; `MENDER_AGAIN`: call again; anything else: bad, the
	 * device falls back. NULL: good.
	 */
	int32_t (*self_test)(void *user);
	/** Gives inventory attributes to `mender_pairs_add`. It is called several times for one message and must give the same each time. */
	void (*inventory)(void *user, struct mender_pairs *pairs);
	/** Something happened. `notice` is good for the call only. */
	void (*notice)(void *user, const struct mender_notice *notice);
	/** Restarts the device within 60 s, or the update fails and is undone; need not return. NULL: the platform's restart. */
	void (*restart)(void *user);
};

/** Memory lent to the client until `mender_client_exit`. */
struct mender_buffers {
	/** What is received or sent, and records being written. */
	uint8_t *io;
	/** The token. */
	uint8_t *token;
	/** The artifact's URL. */
	uint8_t *uri;
	/** Length of `io`, at least `MENDER_IO_BUFFER_MIN`. */
	uint32_t io_len;
	/** Length of `token`; see `MENDER_TOKEN_BUFFER`. */
	uint32_t token_len;
	/** Length of `uri`; see `MENDER_URI_BUFFER`. */
	uint32_t uri_len;
};

/**
 * Settings of the client. What is NULL or 0 is taken from the platform's defaults, and where these have nothing, from the library's.
 * Texts end with NUL, are UTF-8, and stay unchanged until `mender_client_exit`. Fill it with zeros before use: it may grow.
 */
struct mender_config {
	/** `https://host[:port]` of the Mender server. NULL: the platform's, on Zephyr that of Kconfig; where it has none, `https://hosted.mender.io`. */
	const char *server_url;
	/** Tenant token, where the server has tenants. */
	const char *tenant_token;
	/** The device type that artifacts must name, 1 to 256 bytes. */
	const char *device_type;
	/**
	 * Name of the artifact that the device was made with; counts until the first update is committed, and
	 * when an image came by another way than a deployment. 1 to 256 bytes.
	 */
	const char *artifact_name;
	/** The application's callbacks; copied. */
	const struct mender_callbacks *callbacks;
	/** Memory for the client, either all three buffers or none. */
	struct mender_buffers buffers;
	/** One of `MENDER_TIER_…`. */
	int32_t tier;
	/** Not 0: plain HTTP is allowed, to server and artifact store. For a laboratory: anyone on the way reads the token. */
	int32_t allow_http;
	/** Between update checks, in ms. 0: 30 minutes. */
	uint32_t poll_interval_ms;
	/** Between looks at the inventory, which is sent only when it changed, in ms. 0: 8 hours. */
	uint32_t inventory_interval_ms;
	/** First wait after a failure, in ms; doubles every third try. 0: 1 minute. */
	uint32_t retry_interval_ms;
	/** Longest wait after failures, in ms. 0: 5 minutes. */
	uint32_t retry_interval_max_ms;
	/** Upper end of the random wait before the first check, in ms, so that a fleet does not come at once. 0: 30 seconds. */
	uint32_t first_check_max_ms;
	/** Between questions to an application that defers, in ms. 0: 10 seconds. */
	uint32_t defer_interval_ms;
	/** From the start of new firmware until it must be committed, in ms; then the device falls back. 0: 30 minutes. */
	uint32_t commit_deadline_ms;
	/** Between looks for an abort during a download, in ms; each costs a connection of its own. 0: none. */
	uint32_t abort_probe_interval_ms;
	/** Longest silence of a peer, in ms. 0: 30 seconds. */
	uint32_t idle_timeout_ms;
	/** Longest time for one request and its reply, in ms. 0: 1 minute. */
	uint32_t request_timeout_ms;
	/** Tries of a download that gets no further in between. 0: 10. At most 255. */
	uint32_t download_tries;
	/**
	 * Time for new firmware to reach the server, from its first try on, in ms; then the
	 * device falls back with the first try that fails. 0: 15 minutes.
	 */
	uint32_t probe_timeout_ms;
	/** Tries in that time; after the last one the device falls back, too. 0: 10. At most 255. */
	uint32_t probe_tries;
};

/**
 * An update module: what installs the payload types that are not built in. States and their order are Mender's
 * (<https://docs.mender.io/artifact-creation/create-a-custom-update-module>).
 *
 * Each callback of a state returns 0: done; `MENDER_AGAIN`: call again soon; anything else: the state failed. A NULL is done at once.
 * The module may be restarted in any state, and must cope with a state that runs again after a power cut.
 */
struct mender_update_module {
	/** The payload type, 1 to 32 bytes, ends with NUL. `zephyr-image` is built in. */
	const char *payload_type;
	/** First argument of every callback. */
	void *user;
	/** A piece of the artifact's meta-data (JSON). It is not yet verified: keep it, do not act on it before `begin`. May be NULL. */
	int32_t (*meta_data)(void *user, const uint8_t *data, uint32_t len);
	/**
	 * A payload file of `size` bytes begins; `name` is good for the call only. Called again for file 0 after a download that was
	 * cut: what was written before is void. Returns 0, or anything else: the deployment fails. Must not be NULL.
	 */
	int32_t (*begin)(void *user, uint8_t file_index, const char *name, uint32_t size);
	/**
	 * Bytes of a payload file; `data` is good for the call only. Returns 0: all taken; `MENDER_AGAIN`: none taken, offer them
	 * again; anything else: the deployment fails. Must not be NULL.
	 */
	int32_t (*write)(void *user, uint8_t file_index, uint32_t offset, const uint8_t *data, uint32_t len);
	/** A payload file is whole and its checksum is right. May be NULL. */
	int32_t (*end)(void *user, uint8_t file_index);
	/** Install what was downloaded. */
	int32_t (*artifact_install)(void *user);
	/**
	 * 1: the device must restart for the new software to run; 0: it need not. Asked once, after `artifact_install`; a restart does not ask again.
	 * NULL: it need not.
	 */
	int32_t (*needs_reboot)(void *user);
	/** Prepare the restart; the client restarts the device after it. */
	int32_t (*artifact_reboot)(void *user);
	/** After the restart: is the new software running? */
	int32_t (*artifact_verify_reboot)(void *user);
	/** Make it permanent. */
	int32_t (*artifact_commit)(void *user);
	/** Undo the installation. NULL: the module cannot. */
	int32_t (*artifact_rollback)(void *user);
	/** Prepare the restart into the old software. */
	int32_t (*artifact_rollback_reboot)(void *user);
	/** After that restart: is the old software running? */
	int32_t (*artifact_verify_rollback_reboot)(void *user);
	/** The deployment has failed. */
	int32_t (*artifact_failure)(void *user);
	/** The deployment is over, for better or worse. */
	int32_t (*cleanup)(void *user);
	/**
	 * A download for this module begins: meta-data, then files. What an earlier one left is void. Returns 0, or anything else: the
	 * deployment fails. May be NULL.
	 */
	int32_t (*download)(void *user);
};

/** What the client is at. */
struct mender_status {
	/** One of `MENDER_PHASE_…`. */
	int32_t phase;
	/** 1: a token is at hand. 0: not authenticated. */
	int32_t authenticated;
	/** What failed last, a negative code; 0: nothing. */
	int32_t last_error;
	/** The port's own number for it (`-EIO`, …), or 0. */
	int32_t last_errno;
	/** Why the last deployment since the start failed, a negative code; 0: none failed, or one succeeded after it. */
	int32_t deployment_error;
	/** Artifact bytes received of the deployment in progress. */
	uint32_t received;
	/** Artifact bytes in all, or 0 where that is not known. */
	uint32_t total;
	/** 1: `mender_client_abort` would stop the deployment in progress. 0: there is none, or it is too late. */
	int32_t can_abort;
	/** When the next check for updates is due, in ms of the platform's clock (since boot). */
	uint64_t check_at_ms;
	/** The deployment's id, or empty. */
	char deployment_id[37];
	/** Name of the installed artifact. */
	char artifact_name[257];
};

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes the client ready. It does nothing yet; register update modules now, then call `mender_client_activate`.
 *
 * @param config NULL: everything is the platform's default; on Zephyr that is Kconfig, or the setting on flash that takes its place
 * (`mender_settings.h`). What `config` sets has the last word. What is wrong is logged, too.
 * @retval 0 ready.
 * @retval MENDER_E_ALREADY_INITIALISED there is a client; `mender_client_exit` ends it.
 * @retval MENDER_E_BUSY another thread makes it, or an exit is still to be done.
 * @retval MENDER_E_CONFIG_… a setting is missing or wrong. @retval MENDER_E_CLEAR_TEXT a server by `http` without `allow_http`.
 * @retval MENDER_E_ARGUMENT the tenant token is not UTF-8 or too long, or the tier is none. @retval MENDER_E_NULL_POINTER `config` is
 * not aligned.
 *
 * @pre `config` is NULL or points to a structure whose texts, buffers and callbacks are as `struct mender_config` says.
 */
int32_t mender_client_init(const struct mender_config *config);

/**
 * Whether `mender_client_init` would take settings, for platforms and applications that get them at run time. Nothing is taken from
 * the platform's defaults; callbacks and buffers are not looked at.
 *
 * @retval 0 they are good. @retval MENDER_E_CONFIG_… what is wrong; a server by `http` without `allow_http` is
 * MENDER_E_CLEAR_TEXT. @retval MENDER_E_NULL_POINTER `config` is NULL. @retval MENDER_E_ARGUMENT a text is not UTF-8, or the tier is
 * none.
 *
 * @pre `config` is NULL or points to a structure whose texts end with NUL.
 */
int32_t mender_config_check(const struct mender_config *config);

/**
 * Registers an update module for a payload type, between `mender_client_init` and `mender_client_activate`.
 *
 * @retval 0 registered, until `mender_client_exit`.
 * @retval MENDER_E_NULL_POINTER `module`, its `begin` or its `write` is NULL.
 * @retval MENDER_E_ARGUMENT the payload type is empty, too long or built in.
 * @retval MENDER_E_UNSUPPORTED the firmware was built without update modules.
 * @retval MENDER_E_MODULE_TABLE there are `MENDER_MODULES_MAX` already, or one for this payload type.
 * @retval MENDER_E_NOT_INITIALISED too early. @retval MENDER_E_ALREADY_ACTIVE too late.
 *
 * @pre `module` is NULL or points to a structure that stays as it is until `mender_client_exit`.
 */
int32_t mender_client_register_module(const struct mender_update_module *module);

/**
 * Lets the client begin: from now on `mender_client_poll` works. Doing it again does no harm.
 *
 * @retval 0 active. @retval MENDER_E_NOT_INITIALISED there is no client.
 */
int32_t mender_client_activate(void);

/**
 * Does one bounded piece of work: receives or sends at most one IO buffer, erases at most two flash pages. Connecting may block: on Zephyr
 * for `CONFIG_NET_SOCKETS_DNS_TIMEOUT` with each of IPv4 and IPv6, then for `CONFIG_NET_SOCKETS_CONNECT_TIMEOUT` with TCP and once more
 * with TLS, for each address of the host until one answers. Without a network nothing blocks, on Zephyr with
 * `CONFIG_MENDER_MCU_WAIT_FOR_NETWORK`. So it belongs in a thread of its own, never on the system work queue. Only one thread polls; it
 * needs no lock against the threads that call other functions.
 *
 * @return in how many ms it wants to run again, 1 to `MENDER_POLL_MAX_MS`, always. Without an active client that is
 * `MENDER_POLL_MAX_MS`. What fails is logged, and kept for `mender_client_last_error`.
 */
uint32_t mender_client_poll(void);

/** Sleeps for `ms`, for use with `mender_client_poll`. Returns early when a request comes in, or bytes where the platform can tell. */
void mender_client_wait(uint32_t ms);

/**
 * Ends the client: connections are closed, lent memory is given back, another `mender_client_init` may follow. A deployment in
 * progress is on flash and goes on then.
 *
 * @retval 0 done.
 * @retval MENDER_PENDING a poll is running, in another thread or around the callback that calls: it is done when that returns.
 * Until then `mender_client_init` answers `MENDER_E_BUSY`, and lent memory is still in use.
 * @retval MENDER_E_NOT_INITIALISED there is no client.
 */
int32_t mender_client_exit(void);

/**
 * Asks for a check for updates at the next poll, or after the deployment in progress. From any thread, and from interrupts where the
 * platform's lock can be taken there.
 *
 * @retval 0 asked. @retval MENDER_E_NOT_INITIALISED there is no client.
 */
int32_t mender_client_check_now(void);

/**
 * Asks for the inventory to be sent at the next poll, changed or not. As `mender_client_check_now`.
 *
 * @retval 0 asked. @retval MENDER_E_NOT_INITIALISED there is no client.
 */
int32_t mender_client_inventory_now(void);

/**
 * Asks for the device to authenticate afresh, and then to check for updates. As `mender_client_check_now`. Where the last error is
 * `MENDER_E_KEY_LOST`, a new device key is made, with which the server has to accept the device anew.
 *
 * @retval 0 asked. @retval MENDER_E_NOT_INITIALISED there is no client.
 */
int32_t mender_client_authenticate_now(void);

/**
 * Asks for the image that was reverted last to be tried again, and for a check for updates. An image that did not prove itself is
 * else refused, whatever deployment brings it, until another one has been reverted. As `mender_client_check_now`.
 *
 * @retval 0 asked. @retval MENDER_E_NOT_INITIALISED there is no client.
 */
int32_t mender_client_retry(void);

/**
 * Asks for the deployment in progress to be stopped at the next poll. What was installed is undone, if need be by a restart into the
 * old software, and the server is told `failure` with `MENDER_E_ABORTED_HERE` in the deployment's log. From any thread.
 *
 * @retval 0 asked. A commit that began meanwhile is not stopped.
 * @retval MENDER_E_NO_DEPLOYMENT there is none.
 * @retval MENDER_E_TOO_LATE it is restarting, committing or ending, or has no way back.
 * @retval MENDER_E_NOT_INITIALISED there is no client.
 */
int32_t mender_client_abort(void);

/**
 * Makes the running image stay that no deployment is proving: one that was flashed by hand or by another updater. Until it is
 * confirmed nothing is downloaded, since the slot holds the image to fall back to; then updates are looked for at once. From any thread,
 * while no poll runs; writes flash.
 *
 * @retval 0 it stays. @retval MENDER_E_IN_DEPLOYMENT an update proves itself, and is confirmed when it has.
 * @retval MENDER_E_BUSY the client polls, or has not been polled yet: try again.
 * @retval MENDER_E_CONFIRM it failed. @retval MENDER_E_NOT_INITIALISED there is no client.
 */
int32_t mender_client_confirm(void);

/**
 * Writes the device's public key, for instance for the server's list of preauthorised devices: PEM and a NUL. Makes the key if there
 * never was one. From any thread, while no poll runs; needs the stack that the platform's crypto needs.
 *
 * @param buf `size` bytes; `MENDER_PUBLIC_KEY_MAX` are enough. Where it fails they are zeros.
 * @retval 0 written. @retval MENDER_E_NULL_POINTER `buf` is NULL. @retval MENDER_E_CONFIG_BUFFER it is too small.
 * @retval MENDER_E_BUSY the client polls, or has not been polled yet: try again.
 * @retval MENDER_E_KEY_… the key cannot be read or made. @retval MENDER_E_NOT_INITIALISED there is no client.
 *
 * @pre `buf` is NULL or may be written for `size` bytes.
 */
int32_t mender_client_public_key(char *buf,
				 size_t size);

/**
 * Gives the log of the deployment in progress, or of the last one since boot, line by line and oldest first: what went wrong. From any
 * thread, while no poll runs; polls wait until it returns.
 *
 * @param line is called with `user`, a `MENDER_LEVEL_…`, ms since 1970 UTC where the time was known, else since boot (then below 2^40),
 * and a text that ends with NUL and is good for the call only.
 * @retval 0 all lines were given; there may be none. @retval MENDER_E_NULL_POINTER `line` is NULL.
 * @retval MENDER_E_BUSY the client polls: try again. @retval MENDER_E_NOT_INITIALISED there is no client.
 *
 * @pre `line` is NULL or a function that takes `user`.
 */
int32_t mender_client_deployment_log(void (*line)(void *user,
						  int32_t level,
						  uint64_t time_ms,
						  const char *text),
				     void *user);

/**
 * What failed last. From any thread.
 *
 * @return 0: nothing since `mender_client_init`; else its negative code. `MENDER_E_NOT_INITIALISED`, `MENDER_E_NOT_ACTIVE`:
 * `mender_client_poll` does nothing for that reason.
 */
int32_t mender_client_last_error(void);

/**
 * What the client is at, as of the last poll. From any thread.
 *
 * @retval 0 `status` is filled in. @retval MENDER_E_NULL_POINTER it is NULL. @retval MENDER_E_NOT_INITIALISED there is no client.
 *
 * @pre `status` is NULL or may be written.
 */
int32_t mender_client_status(struct mender_status *status);

/**
 * Adds a pair to what a callback was given. Both texts end with NUL, are UTF-8, and may change after the call.
 *
 * @retval 0 taken. @retval MENDER_E_NULL_POINTER something is NULL. @retval MENDER_E_ARGUMENT a text is too long or not UTF-8; an
 * identity with such a pair is not used at all.
 *
 * @pre `pairs` is NULL or what the running callback was given. The texts are NULL or end with NUL.
 */
int32_t mender_pairs_add(struct mender_pairs *pairs,
			 const char *name,
			 const char *value);

/**
 * One line about a code, without a final stop.
 *
 * @return a constant text that ends with NUL, never NULL, also for numbers that are no codes.
 */
const char *mender_error_text(int32_t code);

/**
 * Writes the text of a log event, cut to fit, and a NUL.
 *
 * @param event the event's number, `a` and `b` its integers, `text` its text of `text_len` bytes; NULL is an empty one.
 * @return the length of the whole text, as `snprintf` has it. @retval MENDER_E_NULL_POINTER `buf` is NULL or of no length.
 * @retval MENDER_E_ARGUMENT there is no event of that number, or the text is too long or not UTF-8.
 *
 * @pre `buf` is NULL or may be written for `size` bytes. `text` is NULL or may be read for `text_len` bytes.
 */
int32_t mender_event_format(char *buf,
			    size_t size,
			    int32_t event,
			    int64_t a,
			    int64_t b,
			    const char *text,
			    size_t text_len);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MENDER_MCU_H_ */
