#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks the Zephyr ports one line at a time, and checks that the suite of that port notices.

    mutants.py --build-dir DIR [--only WORD] [cmake options]

A copy of the repository is built for native_sim/native/64 with the environment's ZEPHYR_BASE and toolchain. A mutant that no longer
applies, does not compile or is not noticed is a failure, and so is a file of zephyr/src or a suite that has none.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE_S = 120

# Suite, the program it is in, and what is changed in which file, from zephyr/src: a text that occurs once, and another one.
MUTANTS = [
    ("boot", "port_boot.c", " || has_strange_trailer()", ""),
    ("boot", "port_boot.c", "state.magic == BOOT_MAGIC_BAD &&", "true &&"),
    ("boot", "port_boot.c", "*offset += prot_size;", ";"),
    ("boot", "port_boot.c", "tlv.len > end - offset", "false"),
    ("boot", "port_boot.c", "tlv.kind == TLV_SHA256 && tlv.len == 32", "tlv.len == 32 || tlv.len == 4"),
    ("boot", "port_boot.c", "sys_get_le32(header) != HEADER_MAGIC", "false"),
    ("boot", "port_boot.c", "return boot_is_img_confirmed() || has_strange_trailer();", "return 1;"),
    ("boot", "port_boot.c", "return boot_write_img_confirmed() == 0 ? 0 : -EIO;", "return 0;"),
    ("boot", "port_boot.c", "rc != 0 || found.magic != BOOT_MAGIC_BAD", "true"),
    ("boot", "port_boot.c", "boot_request_upgrade(BOOT_UPGRADE_TEST)", "boot_request_upgrade(BOOT_UPGRADE_PERMANENT)"),
    ("boot", "port_boot.c", "if (type == BOOT_SWAP_TYPE_TEST) {", "if (rc == 0) {"),
    ("boot", "port_boot.c", "return MIN(rc, 0);", "return 0;"),
    ("bootinfo", "bootinfo.c", "if (mode() != BUILT_FOR) {", "if (false) {"),
    ("bootinfo", "bootinfo.c", "size > max", "size >= max"),
    ("bootinfo", "bootinfo.c", "== sizeof(found) ? found : BUILT_FOR", "> 0 ? found : MCUBOOT_MODE_UPGRADE_ONLY"),
    ("bootinfo", "bootinfo.c", "return mode() == MCUBOOT_MODE_UPGRADE_ONLY;", "return BUILT_FOR == MCUBOOT_MODE_UPGRADE_ONLY;"),
    ("clock", "port_clock.c", "return irq_lock();", "return 0;"),
    ("clock", "port_clock.c", "irq_unlock(key);", "(void)key;"),
    ("clock", "port_clock.c", "k_sem_give(&woken);", ";"),
    ("clock", "port_clock.c", "k_sem_take(&woken, K_MSEC(ms));", "k_msleep(ms);"),
    ("clock", "port_clock.c", "k_yield();", ";"),
    ("clock", "port_transport.c", "k_mutex_lock(&mender_tls_in_use, K_FOREVER);\n\tbool ready", "bool ready"),
    ("clock", "port_transport.c", "k_mutex_lock(&mender_tls_in_use, K_FOREVER);\n\tif (stream", "if (stream"),
    ("clock", "port_crypto.c", "k_mutex_lock(&mender_tls_in_use, K_FOREVER);\n\tpsa_status_t status = psa_export", "psa_status_t status = psa_export"),
    ("crypto", "port_crypto.c", "PSA_KEY_LIFETIME_PERSISTENT", "PSA_KEY_LIFETIME_VOLATILE"),
    ("crypto", "port_crypto.c", "PSA_KEY_USAGE_SIGN_HASH", "PSA_KEY_USAGE_SIGN_HASH | PSA_KEY_USAGE_EXPORT"),
    ("crypto", "port_crypto.c", "if (status == PSA_ERROR_INVALID_SIGNATURE) {\n\t\treturn 0;", "if (status != PSA_SUCCESS) {\n\t\treturn 1;"),
    ("crypto", "port_crypto.c", ".kind == MENDER_KEY_RSA", ".kind != MENDER_KEY_RSA"),
    ("crypto", "port_crypto.c", "status == PSA_ERROR_INVALID_HANDLE || status == PSA_ERROR_DOES_NOT_EXIST", "false"),
    ("crypto", "port_crypto.c", "status == PSA_ERROR_INVALID_HANDLE || status == PSA_ERROR_DOES_NOT_EXIST", "status != PSA_SUCCESS"),
    ("crypto", "port_crypto.c", "(void)psa_generate_random((uint8_t *)&number, sizeof(number));", ";"),
    ("hash", "port_hash.c", "if (!running->begun) {", "if (true) {"),
    ("hash", "port_hash.c", "running->status = psa_hash_update(&running->operation, data, len);", ";"),
    ("hash", "port_hash.c", "\tmender_port_hash_restart(hash);\n\treturn status;", "\treturn status;"),
    ("hash", "port_hash.c", "PSA_ALG_SHA_256", "PSA_ALG_SHA_224"),
    ("log", "port_log.c", 'LOG_WRN("%s", line);', 'LOG_INF("%s", line);'),
    ("log", "port_log.c", 'LOG_ERR("%s", line);', 'LOG_ERR("an error");'),
    ("log", "port_log.c", "text, text_len) < 0", "text, text_len + 1) < 0"),
    ("network", "network.c", "!net_if_is_up(iface)", "false"),
    ("network", "network.c", "address->addr_state == NET_ADDR_PREFERRED || address->addr_state == NET_ADDR_DEPRECATED", "true"),
    ("network", "network.c", "!net_ipv4_is_addr_loopback((struct in_addr *)&address->in_addr)", "true"),
    ("network", "network.c", "!net_ipv4_is_ll_addr(&address->in_addr)", "true"),
    ("network", "network.c", "!net_ipv6_is_addr_loopback((struct in6_addr *)&address->in6_addr)", "true"),
    ("network", "network.c", "!net_ipv6_is_ll_addr(&address->in6_addr)", "true"),
    ("network", "network.c", "dns_resolve_get_default()->state == DNS_RESOLVE_CONTEXT_ACTIVE", "true"),
    ("network", "network.c", "error != ENOENT", "true"),
    ("network", "port_transport.c", "if (mender_network_reaches(AF_INET)) {", "if (true) {"),
    ("settings", "port_defaults.c", "mender_settings_apply(config);", ";"),
    ("settings", "settings.c", "texts_len += room_for(name, strlen(text));", ";"),
    ("settings", "settings.c", "return is_interval(name) ? 0 : len + 1;", "return len + 1;"),
    ("settings", "settings.c", "strcmp(name, room->name) != 0", "true"),
    ("settings", "settings.c", "equals - text <= IDENTITY_NAME_MAX", "true"),
    ("settings", "settings.c", "strlen(text) <= IDENTITY_MAX", "true"),
    ("settings", "settings.c", " && mender_config_check(&config) == 0;", ";"),
    ("settings", "settings.c", "*end == '\\0' && ", ""),
    ("settings", "settings.c", " && seconds <= INTERVAL_MAX_S", ""),
    ("settings", "settings.c", "mender_config_check(&next.config) != 0", "false"),
    ("settings", "settings.c", "good = is_identity(text);", ";"),
    ("settings", "settings.c", "rc = find_room(name, strlen(value));", ";"),
    ("slot", "port_slot.c", "rc = rc == 0 ? -EIO : rc;", "rc = 1;"),
    ("slot", "port_slot.c", "return rc > 0 ? MENDER_AGAIN : rc;", "return rc != 0 ? MENDER_AGAIN : 0;"),
    ("slot", "port_slot.c", "state = MIN(rc, 0);", "state = 0;"),
    ("slot", "port_slot.c", "state = -EINVAL;\n\tif (mender_port_boot_is_confirmed() != 1) {\n\t\t/*", "state = -EINVAL;\n\tif (false) {\n\t\t/*"),
    ("slot", "port_slot.c", "size > bytes", "false"),
    ("slot", "port_slot.c", "room = active->fa_size;", "room = UINT32_MAX;"),
    ("slot", "port_slot.c", "room -= page.size;", ";"),
    ("slot", "port_slot.c", "size += 3 * align * DIV_ROUND_UP(area->fa_size, page_size);", ";"),
    ("slot", "port_slot.c", "rc = mender_slot_clear_page(image.flash_area, mender_slot_flags_offset(image.flash_area));", "rc = 0;"),
    ("slot", "port_slot.c", "MIN(len, image.stream.buf_len - image.stream.buf_bytes)", "len"),
    ("slot", "port_slot.c", "return state != 0 ? state : (int32_t)taken;", "state = 0;\n\treturn (int32_t)taken;"),
    ("slot", "port_slot.c", "state = stream_flash_buffered_write(&image.stream, &nothing, 0, true);", "(void)nothing;"),
    ("slot", "port_slot.c", "base + offset, buf, from_flash", "base, buf, from_flash"),
    ("slot", "port_slot.c", "offset > written - len", "false"),
    ("slot", "port_slot.c", "rc = mender_slot_clear_page(area, mender_slot_flags_offset(area));", "rc = 0;"),
    ("slot", "port_slot.c", "rc = mender_slot_clear_page(area, 0);", "rc = 0;"),
    ("slot", "port_slot.c", "rc = mender_slot_clear_page(area, first.size);", "rc = 0;"),
    ("store", "port_store.c", "nvs_write(store, FIRST_ID + record, data, len)", "nvs_write(store, FIRST_ID, data, len)"),
    ("store", "port_store.c", "len > (ssize_t)size ? -EMSGSIZE : len", "len"),
    ("store", "port_store.c", "\tsettings_lock_take();\n\twritten", "\twritten"),
    ("store", "port_store.c", "\tsettings_lock_take();\n\tlen", "\tlen"),
    ("store", "port_store.c", "written < 0 ? written : 0", "0"),
    ("store", "port_store.c", "written < 0 ? written : 0", "written > 0 ? 0 : -EIO"),
    ("thread", "thread.c", "mender_client_wait(mender_client_poll());", "mender_client_wait(1000);"),
    ("thread", "port_clock.c", "k_sem_give(&woken);", ";"),
    ("transport", "port_transport.c", "stream->expects_data = received < 0 && errno == EAGAIN;\n\tif (stream->expects_data) {", "if (received < 0 && errno == EAGAIN) {"),
    ("transport", "port_transport.c", "mender_port_transport_close(channel);\n\t", ";\n\t"),
    ("transport", "port_transport.c", "zsock_fcntl(socket, ZVFS_F_SETFL, ZVFS_O_NONBLOCK) != 0", "false"),
    ("transport", "port_transport.c", "if (sent < 0 && errno == EAGAIN) {", "if (sent < 0) {"),
    ("transport", "port_transport.c", "return received < 0 ? -errno : received;", "return received <= 0 ? -EIO : received;"),
    ("tls", "port_transport.c", "if (sent < 0 && errno == EAGAIN) {", "if (sent < 0) {"),
    ("transport", "port_transport.c", "if (tls && !IS_ENABLED(CONFIG_NET_SOCKETS_SOCKOPT_TLS)) {", "if (false) {"),
    ("tls", "port_transport.c", "rc = mender_tls_configure(socket, channel, host);", "rc = mender_tls_configure(socket, MENDER_CHANNEL_API, host);"),
    ("tls", "port_transport.c", "tls ? IPPROTO_TLS_1_2 : IPPROTO_TCP", "tls && false ? IPPROTO_TLS_1_2 : IPPROTO_TCP"),
    ("tls", "tls.c", "tags[count] = (storage ? STORAGE_TAG : API_TAG) + count;", "tags[count] = storage ? STORAGE_TAG : API_TAG;"),
    ("tls", "tls.c", "tags[count++] = CLIENT_TAG;", ";"),
    ("tls", "tls.c", "channel != MENDER_CHANNEL_STORAGE && (CLIENT_COUNT", "(CLIENT_COUNT"),
    ("tls", "port_clock.c", "now.tv_sec >= START_OF_2024", "true"),
    ("tls", "tls.c", "TLS_PEER_VERIFY_REQUIRED", "TLS_PEER_VERIFY_NONE"),
    ("tls", "tls.c", "zsock_setsockopt(socket, SOL_TLS, TLS_HOSTNAME, host, strlen(host) + 1) != 0", "zsock_setsockopt(socket, SOL_TLS, TLS_HOSTNAME, NULL, 0) != 0"),
    ("public", "tls.c", "TLS_PEER_VERIFY_REQUIRED", "TLS_PEER_VERIFY_NONE"),
    ("public", "tls.c", "if (has_further_anchor()) {", "if (0) {"),
    ("public", "tls.c", "if (has_further_anchor()) {", "if (1) {"),
    ("public", "tls.c", "(CLIENT_COUNT > 0 || CONFIG_MENDER_MCU_TLS_CLIENT_TAG >= 0)", "CLIENT_COUNT > 0"),
    ("public", "tls.c", "channel != MENDER_CHANNEL_STORAGE && ", ""),
    ("public", "../Kconfig.tls", "imply MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED", ""),
    ("public", "../Kconfig.tls", "imply MBEDTLS_ECP_DP_SECP384R1_ENABLED\n\timply PSA_WANT_ECC_SECP_R1_384", ""),
    ("public", "../Kconfig.tls", "imply MBEDTLS_SHA384\n\timply PSA_WANT_ALG_SHA_384", ""),
    ("public", "../Kconfig.tls", "imply PSA_WANT_ALG_RSA_PKCS1V15_SIGN", ""),
    ("api", "port_transport.c", 'return wait_for("a network");', "return -ENETDOWN;"),
    ("device", "port_crypto.c", "return PSA_ERROR_DOES_NOT_EXIST;", "return 0;"),
    ("device", "settings.c", "identity = values.identity;", ";"),
    ("device", "settings.c", "next.config.tenant_token = text;", ";"),
    ("device", "settings.c", "next.config.device_type = text;", ";"),
    ("device", "settings.c", "next.config.server_url = text;", ";"),
    ("device", "port_defaults.c", "sizeof(CONFIG_MENDER_MCU_TENANT_TOKEN) > 1 ? CONFIG_MENDER_MCU_TENANT_TOKEN : NULL", "CONFIG_MENDER_MCU_TENANT_TOKEN"),
    ("device", "port_system.c", "rc == -ENOENT ? own_identity(pairs) : rc", "own_identity(pairs)"),
    ("peers", "port_clock.c", "return k_uptime_get();", "return k_uptime_get() / 4;"),
    ("peers", "port_transport.c", "stream->expects_data = received < 0 && errno == EAGAIN;\n\tif (stream->expects_data) {", "if (received <= 0) {"),
    ("api", "port_defaults.c", ".artifact_name = CONFIG_MENDER_MCU_ARTIFACT_NAME", '.artifact_name = "another"'),
    ("update", "port_clock.c", "(uint64_t)now.tv_sec * MSEC_PER_SEC", "(uint64_t)now.tv_sec"),
    ("update", "port_system.c", "address->len != 6", "true"),
    ("device", "port_system.c", "memcmp(address->addr, (const uint8_t[6]){0}, 6) == 0", "false"),
    ("update", "port_defaults.c", ".device_type = CONFIG_MENDER_MCU_DEVICE_TYPE", '.device_type = "another"'),
    ("update", "port_boot.c", "return boot_is_img_confirmed() || has_strange_trailer();", "return 1;"),
    ("update", "port_crypto.c", "return status == PSA_SUCCESS ? 1 : status;\n}\n\nuint32_t", "return 0;\n}\n\nuint32_t"),
    ("update", "reset_cause.c", "return MENDER_RESET_WATCHDOG;", "return MENDER_RESET_UNKNOWN;"),
    ("mcumgr", "mcumgr.c", "if (deployment_in_progress()) {", "if (false) {"),
    ("mcumgr", "mcumgr.c", " && status.phase != MENDER_PHASE_FAILURE_PENDING", ""),
    ("mcumgr", "mcumgr.c", "upload.heard_ms = k_uptime_get();", ";"),
    ("mcumgr", "mcumgr.c", "(5 * 60 * MSEC_PER_SEC)", "(60 * 60 * MSEC_PER_SEC)"),
    ("mcumgr", "mcumgr.c", "upload.uploading = true;", ";"),
    ("mcumgr", "mcumgr.c", "STOPPED:\n\t\tupload.uploading = false;", "STOPPED:"),
    ("mcumgr", "mcumgr.c", "upload.waiting = true;", ";"),
    ("mcumgr", "mcumgr.c", "upload.waiting = false;", ";"),
    ("mcumgr", "mcumgr.c", "return mender_port_boot_swap_state() == MENDER_SWAP_WHOLE;", "return true;"),
    ("mcumgr", "port_slot.c", "IS_ENABLED(CONFIG_MENDER_MCU_MCUMGR) && mender_slot_is_taken()", "false"),
    ("shell", "shell.c", "return answer(sh, mender_client_inventory_now(),", "return answer(sh, mender_client_check_now(),"),
    ("shell", "shell.c", "if (code == MENDER_E_IN_DEPLOYMENT) {", "if (false) {"),
    ("shell", "shell.c", "if (status->deployment_error != 0) {", "if (false) {"),
    ("shell", "shell.c", "if (status->phase != MENDER_PHASE_IDLE) {", "if (false) {"),
    ("shell", "shell.c", "return answer(sh, code, pem);", 'return answer(sh, code, "");'),
    ("shell", "shell.c", "mender_settings_set(argv[1], value)", "mender_settings_set(argv[1], NULL)"),
    ("system", "port_system.c", "left-- > 0 && log_process()", "false"),
    ("system", "port_system.c", "left-- > 0 && log_process()", "log_process()"),
    ("system", "port_system.c", "sys_reboot(SYS_REBOOT_COLD);", ";"),
    ("system", "reset_cause.c", "!IS_ENABLED(CONFIG_HWINFO) || ", ""),
    ("system", "reset_cause.c", "hwinfo_get_reset_cause(&causes) != 0", "hwinfo_get_reset_cause(&causes) > 0"),
    ("system", "reset_cause.c", "(void)hwinfo_clear_reset_cause();", ";"),
    ("system", "reset_cause.c", "(RESET_POR | RESET_BROWNOUT)", "RESET_POR"),
    ("system", "reset_cause.c", " | RESET_FLASH", ""),
    ("system", "reset_cause.c", "if (causes & RESET_WATCHDOG) {", "if (causes == RESET_WATCHDOG) {"),
    ("system", "reset_cause.c", "if (causes & RESET_SOFTWARE) {", "if (causes == RESET_SOFTWARE) {"),
]
SUITES = {
    "port": ("boot", "bootinfo", "clock", "crypto", "hash", "log", "network", "settings", "slot", "store", "thread", "transport"),
    "net": ("api", "device", "peers", "tls", "update"),
    "public": ("public",),
    "shell": ("mcumgr", "shell", "system"),
}
# Files of zephyr/src that no mutant breaks, and why.
WITHOUT = {
    "aeabi.c": "is built for Arm alone; no suite runs there",
    "bcmp.c": "is built for IA-32 alone, and the mutants for native_sim",
    "checks.c": "stops builds, and does nothing where one succeeds",
}


def gaps():
    """What the list above has forgotten, and what it need not excuse any more."""
    files = {path.name for path in (ROOT / "zephyr/src").glob("*.c")}
    broken = {each[1] for each in MUTANTS}
    suites = {
        name
        for path in (ROOT / "tests/twister").glob("*/src/*.c")
        for name in re.findall(r"^ZTEST_SUITE\((\w+),", path.read_text(), re.MULTILINE)
    }
    run = {suite for each in SUITES.values() for suite in each}
    return [
        *(f"no mutant of zephyr/src/{name}" for name in sorted(files - broken - WITHOUT.keys())),
        *(f"{name} needs no excuse" for name in sorted(WITHOUT.keys() & broken | WITHOUT.keys() - files)),
        *(f"no mutant that {name} must notice" for name in sorted(suites - {each[0] for each in MUTANTS})),
        *(f"no program is named for the suite {name}" for name in sorted({each[0] for each in MUTANTS} - run)),
    ]


def copy_of_the_repository(folder):
    """What is under version control, and what is about to be; files that have not changed keep their time."""
    told = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )
    for name in filter(None, told.stdout.split("\0")):
        source, target = ROOT / name, folder / name
        if source.is_file() and not (target.is_file() and target.read_bytes() == source.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def build(folder):
    run = subprocess.run(["ninja", "-C", folder], capture_output=True, text=True, check=False)
    return None if run.returncode == 0 else run.stdout


def passes(folder, suite):
    """Whether the suite ends well; a hang is no good end."""
    flash = folder / "mutant-flash.bin"
    flash.unlink(missing_ok=True)
    command = [folder / "zephyr/zephyr.exe", f"-test={suite}::*", f"--flash={flash}"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0 and f"SUITE PASS - 100.00% [{suite}]" in run.stdout


def verdict(source, folder, suite, old, new):
    text = source.read_text()
    if text.count(old) != 1:
        return f"no longer applies: {text.count(old)} times in {source.name}"
    source.write_text(text.replace(old, new))
    try:
        error = build(folder)
        if error:
            return "does not compile\n" + error
        return "not noticed" if passes(folder, suite) else None
    finally:
        source.write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path, required=True)
    parser.add_argument("--only", default="", help="suite or file")
    given, options = parser.parse_known_args()
    if gaps():
        sys.exit("\n".join(gaps()))
    folder = given.build_dir.resolve()
    copy = folder / "copy"
    copy_of_the_repository(copy)
    chosen = [each for each in MUTANTS if given.only in (*each[:2], "")]
    failed = 0
    for program, suites in SUITES.items():
        mutants = [each for each in chosen if each[0] in suites]
        if not mutants:
            continue
        place = folder / program
        configure = ["cmake", "-GNinja", "-S", copy / "tests/twister" / program, "-B", place]
        subprocess.run([*configure, "-DBOARD=native_sim/native/64", *options], check=True, capture_output=True)
        error = build(place)
        if error:
            sys.exit(error)
        for suite in sorted({each[0] for each in mutants}):
            if not passes(place, suite):
                sys.exit(f"{suite} fails without a mutant")
        for suite, file, old, new in mutants:
            wrong = verdict(copy / "zephyr/src" / file, place, suite, old, new)
            failed += wrong is not None
            short = " ".join(old.split())[:60]
            print(f"{'FAILED' if wrong else 'ok':6} {suite:9} {file:18} {short}{': ' + wrong if wrong else ''}", flush=True)
    print(f"{len(chosen) - failed} of {len(chosen)} mutants noticed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
