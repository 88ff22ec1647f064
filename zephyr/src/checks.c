/* SPDX-License-Identifier: Apache-2.0 */
/* What must be configured otherwise, said while the image is built. */
#include <zephyr/devicetree.h>
#include <zephyr/kernel.h>
#if defined(CONFIG_NET_SOCKETS_SOCKOPT_TLS) && defined(CONFIG_MBEDTLS_BUILTIN)
#include <mbedtls/ssl.h>
#endif

#define SNIPPET "build with the snippet mender-mcu (west build -S mender-mcu; with sysbuild see docs/building.md), or set "

/* Boot */
BUILD_ASSERT(!IS_ENABLED(CONFIG_MCUBOOT_BOOTLOADER_USES_SHA512) && !IS_ENABLED(CONFIG_MCUBOOT_BOOTLOADER_SIGNATURE_TYPE_PURE),
	     "images are told by their SHA-256: use signatures of MCUboot that have one (ECDSA P-256, RSA, or Ed25519 that is not pure)");

/* Keys */
#define TEST_RANDOM                                                                                                    \
	(IS_ENABLED(CONFIG_TEST_RANDOM_GENERATOR) || IS_ENABLED(CONFIG_FAKE_ENTROPY_NATIVE_SIM) ||                     \
	 IS_ENABLED(CONFIG_MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG_ALLOW_NON_CSPRNG))
BUILD_ASSERT(!TEST_RANDOM || IS_ENABLED(CONFIG_MENDER_MCU_KEYS_NOT_SECURE),
	     "the random generator is one for tests, so the device key could be guessed: enable the board's entropy source "
	     "(on STM32 &rng and its clock), or set CONFIG_MENDER_MCU_KEYS_NOT_SECURE=y");

#define KEY_STORE                                                                                                      \
	(IS_ENABLED(CONFIG_PSA_CRYPTO_PROVIDER_CUSTOM) ||                                                              \
	 (IS_ENABLED(CONFIG_SECURE_STORAGE) && !IS_ENABLED(CONFIG_SECURE_STORAGE_ITS_STORE_IMPLEMENTATION_NONE)))
BUILD_ASSERT(KEY_STORE || IS_ENABLED(CONFIG_MENDER_MCU_KEY_FROM_APPLICATION),
	     "the device key would be lost at every restart: set CONFIG_SECURE_STORAGE=y and give the board a storage partition");

/* Records */
#if DT_HAS_CHOSEN(zephyr_settings_partition)
#define SETTINGS_PARTITION_NODE DT_CHOSEN(zephyr_settings_partition)
#else
#define SETTINGS_PARTITION_NODE DT_NODELABEL(storage_partition)
#endif
BUILD_ASSERT(IS_ENABLED(CONFIG_SETTINGS_NVS) || IS_ENABLED(CONFIG_SETTINGS_ZMS),
	     "records are kept where settings are: set CONFIG_SETTINGS_NVS=y, or CONFIG_SETTINGS_ZMS=y where flash needs no erase");
#if defined(CONFIG_SETTINGS_NVS) && DT_NODE_EXISTS(SETTINGS_PARTITION_NODE)
/* A record and four table entries. */
BUILD_ASSERT(DT_PROP_OR(DT_MTD_FROM_FIXED_PARTITION(SETTINGS_PARTITION_NODE), erase_block_size, 4096) *
			     CONFIG_SETTINGS_NVS_SECTOR_SIZE_MULT >=
		     1024 + 4 * 8,
	     "records do not fit into a sector of NVS on this flash: raise CONFIG_SETTINGS_NVS_SECTOR_SIZE_MULT until a sector has 2048 "
	     "bytes");
#endif
/* Of 100 power cuts in a write of ZMS, 16 to 30 left a store that cannot be written any more (docs/decisions/0004). */
#define ERASED (IS_ENABLED(CONFIG_FLASH_HAS_EXPLICIT_ERASE) && !IS_ENABLED(CONFIG_FLASH_HAS_NO_EXPLICIT_ERASE))
BUILD_ASSERT(!IS_ENABLED(CONFIG_SETTINGS_ZMS) || !ERASED,
	     "ZMS does not survive power cuts on flash that must be erased: set CONFIG_SETTINGS_NVS=y and CONFIG_ZMS=n");
BUILD_ASSERT(!IS_ENABLED(CONFIG_SECURE_STORAGE_ITS_STORE_IMPLEMENTATION_ZMS) || !ERASED,
	     "the device key would lie on ZMS, which does not survive power cuts on flash that must be erased: set "
	     "CONFIG_SECURE_STORAGE_ITS_STORE_IMPLEMENTATION_SETTINGS=y");

/* Stack */
#ifdef CONFIG_MENDER_MCU_THREAD
/* A handshake with RSA of 4096 bits used 4024 bytes (docs/footprint.md). */
BUILD_ASSERT(!IS_ENABLED(CONFIG_MENDER_MCU_TLS_PUBLIC_CA) || CONFIG_MENDER_MCU_THREAD_STACK_SIZE >= 5120,
	     "a handshake with a public server may overflow the stack of the client's thread: set CONFIG_MENDER_MCU_THREAD_STACK_SIZE to "
	     "5120 or more, 6144 by default");
#endif

/* Intervals */
BUILD_ASSERT(CONFIG_MENDER_MCU_PROBE_TIMEOUT_S < CONFIG_MENDER_MCU_COMMIT_DEADLINE_S,
	     "new firmware that reaches the server late would have no time left to commit: set CONFIG_MENDER_MCU_COMMIT_DEADLINE_S to "
	     "more than CONFIG_MENDER_MCU_PROBE_TIMEOUT_S, twice as much by default");
BUILD_ASSERT(CONFIG_MENDER_MCU_RETRY_INTERVAL_S <= CONFIG_MENDER_MCU_RETRY_INTERVAL_MAX_S,
	     "the first wait after a failure would be longer than the longest: set CONFIG_MENDER_MCU_RETRY_INTERVAL_MAX_S to "
	     "CONFIG_MENDER_MCU_RETRY_INTERVAL_S or more");

/* TLS */
BUILD_ASSERT(IS_ENABLED(CONFIG_NET_SOCKETS_SOCKOPT_TLS) || IS_ENABLED(CONFIG_MENDER_MCU_ALLOW_HTTP),
	     "without TLS no server can be reached: set CONFIG_NET_SOCKETS_SOCKOPT_TLS=y, or CONFIG_MENDER_MCU_ALLOW_HTTP=y in a "
	     "laboratory");
#ifdef CONFIG_NET_SOCKETS_SOCKOPT_TLS
BUILD_ASSERT(CONFIG_NET_SOCKETS_TLS_MAX_CONTEXTS >= 2,
	     "an update needs two TLS connections: set CONFIG_NET_SOCKETS_TLS_MAX_CONTEXTS=2");
/* The preset's handshakes. Zephyr's own 3 s are too short for them on a Cortex-M4. */
BUILD_ASSERT(CONFIG_NET_SOCKETS_CONNECT_TIMEOUT >= 5000 || IS_ENABLED(CONFIG_MENDER_MCU_TLS_APPLICATION),
	     "TLS handshakes would be given up: set CONFIG_NET_SOCKETS_CONNECT_TIMEOUT=15000");
#ifdef CONFIG_MBEDTLS_BUILTIN
BUILD_ASSERT(IS_ENABLED(CONFIG_MBEDTLS_SERVER_NAME_INDICATION),
	     "servers that share an address need the name: set CONFIG_MBEDTLS_SERVER_NAME_INDICATION=y");
/* The premaster secret's room is that of legacy curves, of which there are none, or of RSA: union mbedtls_ssl_premaster_secret. */
BUILD_ASSERT(!IS_ENABLED(CONFIG_MBEDTLS_PSA_P256M_DRIVER_ENABLED) || IS_ENABLED(CONFIG_MBEDTLS_ECP_C) ||
		     IS_ENABLED(CONFIG_MBEDTLS_KEY_EXCHANGE_RSA_ENABLED),
	     "no TLS handshake would succeed, for Mbed TLS 3.6 has no room for a secret of ECDHE by the P256-M driver alone: set "
	     "CONFIG_MBEDTLS_KEY_EXCHANGE_RSA_ENABLED=y");
BUILD_ASSERT(!IS_ENABLED(CONFIG_MENDER_MCU_TRUSTED_CLOCK) || IS_ENABLED(CONFIG_MBEDTLS_HAVE_TIME_DATE),
	     "the dates of certificates would not be checked: set CONFIG_MBEDTLS_HAVE_TIME_DATE=y");
/* Mbed TLS's own sizes, which an application's header may have changed (CONFIG_MBEDTLS_USER_CONFIG_FILE). */
BUILD_ASSERT(MBEDTLS_SSL_IN_CONTENT_LEN >= CONFIG_MENDER_MCU_TLS_RECORD_MAX,
	     "TLS records of the server would not fit: " SNIPPET "CONFIG_MBEDTLS_SSL_MAX_CONTENT_LEN=16384");
#ifdef CONFIG_MBEDTLS_ENABLE_HEAP
/* Two connections, each with a buffer either way, and one handshake. */
BUILD_ASSERT(CONFIG_MBEDTLS_HEAP_SIZE >= 2 * (MBEDTLS_SSL_IN_CONTENT_LEN + MBEDTLS_SSL_OUT_CONTENT_LEN) + 24000,
	     "two TLS connections would not fit: " SNIPPET "CONFIG_MBEDTLS_HEAP_SIZE=90000");
#endif
#endif
#endif
