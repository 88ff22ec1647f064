// SPDX-License-Identifier: Apache-2.0
//! Settings: one table makes the flags, the environment variables and the help text.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};
use mender_base::{Level, limits};
use mender_client::Tier;
use mender_sim::mcuboot::Mode;
use mender_sim::modules::FailAt;
use mender_sim::{Cut, Layout, Moment, Tear};

/// One setting: `--name` and `MENDER_NAME`.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    /// What the value is called in the help; empty for a switch.
    pub(crate) value: &'static str,
    /// It can be given several times; in the environment, values are separated by commas.
    pub(crate) many: bool,
    pub(crate) help: &'static str,
}

const fn one(name: &'static str, value: &'static str, help: &'static str) -> Setting {
    Setting { name, value, many: false, help }
}

const fn many(name: &'static str, value: &'static str, help: &'static str) -> Setting {
    Setting { name, value, many: true, help }
}

const fn switch(name: &'static str, help: &'static str) -> Setting {
    Setting { name, value: "", many: false, help }
}

/// All settings, by heading.
pub(crate) const GROUPS: &[(&str, &[Setting])] = &[
    (
        "Server",
        &[
            one("server-url", "URL", "the Mender server [https://hosted.mender.io]"),
            many("ca-file", "FILE", "PEM certificates to trust; nothing else is trusted"),
            many("storage-ca-file", "FILE", "the same for artifact stores [as --ca-file]"),
            one("tenant-token", "TOKEN", "for servers with tenants"),
            switch("allow-http", "clear text is allowed, to server and store"),
            one("connect-timeout", "SECONDS", "for TCP, and again for TLS [10]"),
            one("idle-timeout", "SECONDS", "longest silence of a peer [30]"),
            one("poll-interval", "SECONDS", "between checks for updates [1800]"),
            one("inventory-interval", "SECONDS", "between looks whether the inventory changed [28800]"),
            one("retry-interval", "SECONDS", "first wait after a failure; it grows to the fivefold [60]"),
            one("first-check", "SECONDS", "longest random wait before the first check [0]"),
            one("abort-probe-interval", "SECONDS", "between looks for an abort in a download; 0 never [0]"),
            one("commit-deadline", "SECONDS", "from the boot of a new image to its commit [1800]"),
        ],
    ),
    (
        "Device",
        &[
            one("device-type", "TYPE", "what artifacts must be made for [simulated]"),
            one("tier", "TIER", "standard, micro or system, for servers that know tiers"),
            one("artifact-name", "NAME", "what counts as installed on a new device [release-1]"),
            many("identity", "KEY=VALUE", "identity data [a random mac, kept in the state directory]"),
            many("inventory", "NAME=VALUE", "inventory attributes of the application"),
            many("verification-key", "FILE", "public key in PEM; artifacts must be signed by one of them"),
            one("state-dir", "DIR", "where the flash file and the modules' folders are [mender-device]"),
        ],
    ),
    (
        "Update module (writes payload files into STATE-DIR/modules/TYPE/current)",
        &[
            many("payload-type", "TYPE", "what the module takes, beside the built-in zephyr-image [files]"),
            switch("module-no-reboot", "its updates need no restart"),
            switch("module-no-rollback", "it cannot undo"),
            many("module-fail-at", "STATE", "it fails there: Download, or a state as Mender names it"),
            one("module-pending", "COUNT", "how often each of its states answers \"pending\" [0]"),
        ],
    ),
    (
        "Flash (fixed when the state directory is made)",
        &[
            one("image", "FILE", "MCUboot image the device is made with [a generated one, version 1.0.0]"),
            one("page-size", "BYTES", "what one erase clears: 1024 to 8192 [4096]"),
            one("program-granule", "BYTES", "what one program writes at least: 1 to 32 [8]"),
            one("slot-size", "BYTES", "each image slot [1048576]"),
            one("scratch-size", "BYTES", "MCUboot's scratch area [16384]"),
        ],
    ),
    (
        "Boot loader and restart",
        &[
            switch("overwrite-only", "MCUboot overwrites in place of swapping: there is no way back"),
            one("watchdog", "SECONDS", "when a hung image is reset [5]"),
            one("reboot", "HOW", "inside: go on in this process; exit: end it with code 85 [inside]"),
        ],
    ),
    (
        "Output",
        &[
            switch("json", "one JSON object per event"),
            one("log-level", "LEVEL", "error, warning, info or debug [info]"),
        ],
    ),
    (
        "Power cuts, for tests",
        &[
            one("halt-at", "KIND:N[:TEAR]", "stop for ever in the N-th operation of a kind, until killed"),
            switch("count", "print how many operations of each kind there were"),
        ],
    ),
];

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    InspectHelp,
    Version,
    Inspect(Inspect),
    Run(Box<Settings>),
}

/// What to inspect.
#[derive(Debug, Default)]
pub(crate) struct Inspect {
    pub(crate) file: PathBuf,
    pub(crate) keys: Vec<PathBuf>,
    pub(crate) device_type: Option<String>,
}

/// What a restart does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reboot {
    Inside,
    Exit,
}

/// All settings of a running device.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) server_url: String,
    pub(crate) ca_files: Vec<PathBuf>,
    pub(crate) storage_ca_files: Vec<PathBuf>,
    pub(crate) tenant_token: Option<String>,
    pub(crate) allow_http: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) idle_timeout_ms: u32,
    pub(crate) timing: mender_client::Timing,
    pub(crate) abort_probe_ms: u32,
    pub(crate) device_type: String,
    pub(crate) tier: Option<Tier>,
    pub(crate) artifact_name: String,
    pub(crate) identity: Vec<(String, String)>,
    pub(crate) inventory: Vec<(String, String)>,
    pub(crate) verification_keys: Vec<PathBuf>,
    pub(crate) state_dir: PathBuf,
    pub(crate) payload_types: Vec<String>,
    pub(crate) module_needs_reboot: bool,
    pub(crate) module_supports_rollback: bool,
    pub(crate) module_fail_at: Vec<FailAt>,
    pub(crate) module_pending: u32,
    pub(crate) image: Option<PathBuf>,
    pub(crate) layout: Layout,
    pub(crate) mode: Mode,
    pub(crate) watchdog: Duration,
    pub(crate) reboot: Reboot,
    pub(crate) json: bool,
    pub(crate) log_level: Level,
    pub(crate) cut: Option<Cut>,
    pub(crate) count: bool,
}

/// Reads the command line and, for what it does not say, the environment.
///
/// # Errors
/// A sentence for a person.
pub(crate) fn parse(
    args: impl IntoIterator<Item = OsString>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Command, String> {
    let mut parser = Parser::from_iter(args);
    let mut given = Given::default();
    while let Some(arg) = parser.next().map_err(|e| e.to_string())? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::Version),
            Arg::Long(name) => {
                let setting = find(name).ok_or_else(|| format!("there is no --{name}; see --help"))?;
                let value = match setting.value {
                    "" => "1".to_owned(),
                    _ => text(&mut parser)?,
                };
                given.0.entry(setting.name).or_default().push(value);
            }
            Arg::Value(word) if word == "inspect" && given.0.is_empty() => return parse_inspect(&mut parser),
            other => return Err(other.unexpected().to_string()),
        }
    }
    given.add_environment(environment);
    settings(&given).map(|settings| Command::Run(Box::new(settings)))
}

fn parse_inspect(parser: &mut Parser) -> Result<Command, String> {
    let mut what = Inspect::default();
    while let Some(arg) = parser.next().map_err(|e| e.to_string())? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::InspectHelp),
            Arg::Short('k') | Arg::Long("key") => what.keys.push(text(parser)?.into()),
            Arg::Short('t') | Arg::Long("device-type") => what.device_type = Some(text(parser)?),
            Arg::Value(file) if what.file.as_os_str().is_empty() => what.file = file.into(),
            other => return Err(other.unexpected().to_string()),
        }
    }
    if what.file.as_os_str().is_empty() {
        return Err("inspect needs a file; see inspect --help".into());
    }
    Ok(Command::Inspect(what))
}

fn text(parser: &mut Parser) -> Result<String, String> {
    parser.value().and_then(|value| value.string()).map_err(|e| e.to_string())
}

fn all() -> impl Iterator<Item = &'static Setting> {
    GROUPS.iter().flat_map(|(_, settings)| settings.iter())
}

fn find(name: &str) -> Option<&'static Setting> {
    all().find(|setting| setting.name == name)
}

/// Name of a setting's environment variable.
pub(crate) fn variable(name: &str) -> String {
    format!("MENDER_{}", name.to_uppercase().replace('-', "_"))
}

/// Values as they were given, by name.
#[derive(Default)]
struct Given(HashMap<&'static str, Vec<String>>);

impl Given {
    fn add_environment(&mut self, environment: impl Fn(&str) -> Option<String>) {
        for setting in all().filter(|setting| !self.0.contains_key(setting.name)).collect::<Vec<_>>() {
            let Some(value) = environment(&variable(setting.name)) else { continue };
            let values = if setting.many {
                value.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect()
            } else {
                vec![value]
            };
            self.0.insert(setting.name, values);
        }
    }

    fn many(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    fn one(&self, name: &str) -> Option<&str> {
        self.many(name).last().map(String::as_str)
    }

    fn text(&self, name: &str, otherwise: &str) -> String {
        self.one(name).unwrap_or(otherwise).to_owned()
    }

    fn paths(&self, name: &str) -> Vec<PathBuf> {
        self.many(name).iter().map(PathBuf::from).collect()
    }

    fn switch(&self, name: &str) -> Result<bool, String> {
        match self.one(name) {
            None | Some("" | "0" | "no" | "false") => Ok(false),
            Some("1" | "yes" | "true") => Ok(true),
            Some(other) => Err(format!("{}: {other:?} is neither 1 nor 0", variable(name))),
        }
    }

    fn map<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>, what: &str) -> Result<Option<T>, String> {
        let wrong = |value: &str| format!("--{name}: {value:?} is not {what}");
        self.one(name).map(|value| read(value).ok_or_else(|| wrong(value))).transpose()
    }

    fn number(&self, name: &str, otherwise: u32) -> Result<u32, String> {
        let read = |value: &str| value.parse().ok();
        Ok(self.map(name, read, "a number")?.unwrap_or(otherwise))
    }

    /// Seconds, with fractions, as ms.
    fn ms(&self, name: &str, otherwise_s: u32) -> Result<u32, String> {
        let read = |value: &str| {
            let ms = value.parse::<f64>().ok()? * 1000.0;
            (0.0..=f64::from(u32::MAX)).contains(&ms).then_some(ms.round() as u32)
        };
        Ok(self.map(name, read, "a number of seconds")?.unwrap_or(otherwise_s * 1000))
    }

    fn pairs(&self, name: &str) -> Result<Vec<(String, String)>, String> {
        let pair = |value: &String| {
            let split = value.split_once('=').filter(|(key, _)| !key.is_empty());
            let owned = split.map(|(key, value)| (key.to_owned(), value.to_owned()));
            owned.ok_or_else(|| format!("--{name}: {value:?} is not KEY=VALUE"))
        };
        self.many(name).iter().map(pair).collect()
    }
}

fn settings(given: &Given) -> Result<Settings, String> {
    let ca_files = given.paths("ca-file");
    let storage_ca_files = given.paths("storage-ca-file");
    let states = || FailAt::names().collect::<Vec<_>>().join(", ");
    let fail_at = |name: &String| {
        FailAt::from_name(name)
            .ok_or_else(|| format!("--module-fail-at: {name:?} is not one of {}", states()))
    };
    let reboot = |word: &str| match word {
        "inside" => Some(Reboot::Inside),
        "exit" => Some(Reboot::Exit),
        _ => None,
    };
    let payload_types = match given.many("payload-type") {
        [] => vec!["files".to_owned()],
        types => types.to_vec(),
    };
    if let Some(long) = payload_types.iter().find(|name| name.len() > limits::PAYLOAD_TYPE_MAX) {
        return Err(format!("--payload-type: {long:?} is longer than {} bytes", limits::PAYLOAD_TYPE_MAX));
    }
    Ok(Settings {
        server_url: given.text("server-url", "https://hosted.mender.io"),
        storage_ca_files: if storage_ca_files.is_empty() { ca_files.clone() } else { storage_ca_files },
        ca_files,
        tenant_token: given.one("tenant-token").map(str::to_owned),
        allow_http: given.switch("allow-http")?,
        connect_timeout: Duration::from_millis(given.ms("connect-timeout", 10)?.into()),
        idle_timeout_ms: given.ms("idle-timeout", 30)?,
        timing: timing(given)?,
        abort_probe_ms: given.ms("abort-probe-interval", 0)?,
        device_type: given.text("device-type", "simulated"),
        tier: given.map("tier", tier, "standard, micro or system")?,
        artifact_name: given.text("artifact-name", "release-1"),
        identity: given.pairs("identity")?,
        inventory: given.pairs("inventory")?,
        verification_keys: given.paths("verification-key"),
        state_dir: given.text("state-dir", "mender-device").into(),
        payload_types,
        module_needs_reboot: !given.switch("module-no-reboot")?,
        module_supports_rollback: !given.switch("module-no-rollback")?,
        module_fail_at: given.many("module-fail-at").iter().map(fail_at).collect::<Result<_, _>>()?,
        module_pending: given.number("module-pending", 0)?,
        image: given.one("image").map(PathBuf::from),
        layout: layout(given)?,
        mode: if given.switch("overwrite-only")? { Mode::OverwriteOnly } else { Mode::SwapUsingScratch },
        watchdog: Duration::from_millis(given.ms("watchdog", 5)?.into()),
        reboot: given.map("reboot", reboot, "inside or exit")?.unwrap_or(Reboot::Inside),
        json: given.switch("json")?,
        log_level: given.map("log-level", level, "error, warning, info or debug")?.unwrap_or(Level::Info),
        cut: given.map("halt-at", cut, "KIND:N or KIND:N:TEAR; see --help")?,
        count: given.switch("count")?,
    })
}

fn timing(given: &Given) -> Result<mender_client::Timing, String> {
    let retry_ms = given.ms("retry-interval", 60)?.max(1);
    Ok(mender_client::Timing {
        poll_ms: given.ms("poll-interval", 1800)?.max(1),
        inventory_ms: given.ms("inventory-interval", 28_800)?.max(1),
        retry_ms,
        retry_cap_ms: retry_ms.saturating_mul(5),
        commit_deadline_ms: given.ms("commit-deadline", 1800)?,
        first_check_ms: given.ms("first-check", 0)?,
        ..mender_client::Timing::default()
    })
}

fn layout(given: &Given) -> Result<Layout, String> {
    let usual = Layout::default();
    let layout = Layout {
        page_size: given.number("page-size", usual.page_size)?,
        granule: given.number("program-granule", usual.granule)?,
        slot_size: given.number("slot-size", usual.slot_size)?,
        scratch_size: given.number("scratch-size", usual.scratch_size)?,
        ..usual
    };
    layout.check().map(|()| layout)
}

fn tier(word: &str) -> Option<Tier> {
    [Tier::Standard, Tier::Micro, Tier::System].into_iter().find(|tier| tier.name() == word)
}

fn level(word: &str) -> Option<Level> {
    [Level::Error, Level::Warning, Level::Info, Level::Debug]
        .into_iter()
        .find(|level| level.name().eq_ignore_ascii_case(word))
}

fn cut(words: &str) -> Option<Cut> {
    let mut parts = words.split(':');
    let moment = Moment::from_word(parts.next()?)?;
    let number = parts.next()?.parse().ok().filter(|number| *number > 0)?;
    let tear = match parts.next() {
        None | Some("half") => Tear::Half,
        Some("before") => Tear::Nothing,
        Some("torn") => Tear::Bits(number),
        Some("after") => Tear::All,
        Some(_) => return None,
    };
    parts.next().is_none().then_some(Cut { moment, number, tear })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(args: &[&str], environment: &[(&str, &str)]) -> Result<Settings, String> {
        let args = ["mender-device"].iter().chain(args).map(OsString::from);
        let look_up = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        match parse(args, look_up)? {
            Command::Run(settings) => Ok(*settings),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn the_command_line_wins_over_the_environment_and_that_over_the_default() {
        let environment = [("MENDER_DEVICE_TYPE", "board"), ("MENDER_POLL_INTERVAL", "0.25")];
        let settings = run(&["--device-type", "other"], &environment).unwrap();
        assert_eq!(settings.device_type, "other");
        assert_eq!(settings.timing.poll_ms, 250);
        assert_eq!(settings.artifact_name, "release-1");
    }

    #[test]
    fn every_setting_can_come_from_the_environment() {
        for setting in all() {
            let value = match setting.name {
                "tier" => "micro",
                "module-fail-at" => "Download",
                "image" | "state-dir" | "ca-file" => "x",
                "identity" | "inventory" => "a=b,c=d",
                "reboot" => "exit",
                "log-level" => "debug",
                "halt-at" => "swap:3:torn",
                "page-size" => "2048",
                "scratch-size" | "slot-size" => "65536",
                _ => "1",
            };
            run(&[], &[(&variable(setting.name), value)]).unwrap_or_else(|e| panic!("{}: {e}", setting.name));
        }
        assert_eq!(run(&[], &[("MENDER_IDENTITY", "a=b,c=d")]).unwrap().identity.len(), 2);
        assert!(run(&[], &[("MENDER_JSON", "1")]).unwrap().json);
        assert!(!run(&[], &[("MENDER_JSON", "0")]).unwrap().json);
    }

    #[test]
    fn wrong_values_are_named() {
        for args in [
            &["--poll-interval", "soon"][..],
            &["--poll-interval", "-1"],
            &["--identity", "mac"],
            &["--identity", "=x"],
            &["--tier", "huge"],
            &["--page-size", "1000"],
            &["--module-fail-at", "Lunch"],
            &["--halt-at", "swap:0"],
            &["--halt-at", "swap"],
            &["--halt-at", "swap:1:quite"],
            &["--halt-at", "lunch:1"],
            &["--reboot", "never"],
            &["--payload-type", "this-payload-type-name-is-too-long"],
        ] {
            let why = run(args, &[]).unwrap_err();
            assert!(why.contains(args[1]) || why.contains("page size"), "{args:?}: {why}");
        }
        assert!(run(&["--no-such-thing"], &[]).unwrap_err().contains("--no-such-thing"));
        assert!(run(&["stray"], &[]).is_err());
        assert!(run(&[], &[("MENDER_JSON", "perhaps")]).unwrap_err().contains("MENDER_JSON"));
    }

    #[test]
    fn a_cut_says_where_and_how() {
        let wanted = Cut { moment: Moment::RecordWrite, number: 12, tear: Tear::Half };
        assert_eq!(cut("record-write:12"), Some(wanted));
        assert_eq!(cut("report:1:after").map(|cut| cut.tear), Some(Tear::All));
    }
}
