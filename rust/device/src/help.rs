// SPDX-License-Identifier: Apache-2.0
//! The help texts.

use std::fmt::Write;

use crate::settings::{GROUPS, variable};

const HEAD: &str = "\
A simulated device that updates itself, by the client that runs on Zephyr.

mender-device [SETTING...]
    Switches the device on. Its flash is a file in the state directory; killing the
    process cuts its power, starting it again switches it on again.
mender-device inspect FILE.mender [--key FILE]... [--device-type TYPE]
    What a device would read in an artifact, or why any device of that type would refuse
    it. What it must provide first is shown, not judged.

Each setting is a flag or an environment variable; the flag wins. Those marked + can be
given several times, in the environment with commas between. Seconds may have fractions.
";

const TAIL: &str = "
--halt-at prints one line and waits to be killed, for a test that cuts the power at a
chosen moment. KIND is one of record-write, key-write, page-erase and program (of the
inactive slot), arm, swap, confirm, any (flash operation), report (sent, reply not
read). TEAR is what was done of the operation: before (nothing), half (default), torn
(random bits), after (all).

Exit codes: 1 artifact refused (inspect), 2 wrong settings, 3 no bootable image,
85 the device restarts (--reboot exit).
";

/// The help of `inspect`.
pub(crate) const INSPECT: &str = "\
mender-device inspect FILE.mender [--key FILE]... [--device-type TYPE]

Reads an artifact as the device does and prints what it holds. Where the device would
refuse it, prints what was read until then and why, and ends with code 1.

    -k, --key FILE           public key in PEM; the artifact must be signed by one of them
    -t, --device-type TYPE   the artifact must be made for it
";

/// The help of the device.
pub(crate) fn text() -> String {
    let mut text = HEAD.to_owned();
    for (heading, settings) in GROUPS {
        // Writing to a String cannot fail.
        writeln!(text, "\n{heading}").ok();
        for setting in *settings {
            let plus = if setting.many { "+" } else { " " };
            writeln!(text, "  --{} {}", setting.name, setting.value).ok();
            writeln!(text, "  {plus} {:<31} {}", variable(setting.name), setting.help).ok();
        }
    }
    text.push_str(TAIL);
    text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}
