// SPDX-License-Identifier: Apache-2.0
//! The client broken on purpose, in one way after the other: a simulation that does not find that out would be worth nothing.
//!
//! A mutation is a piece of source text and what takes its place. It is applied to a copy of the workspace, which is built and run
//! there; what ships has no hooks for it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// One way to be wrong.
#[derive(Clone, Copy, Debug)]
pub struct Mutation {
    /// What is wrong then.
    pub name: &'static str,
    /// The file, from the root of the workspace.
    pub file: &'static str,
    /// Text that is there exactly once.
    pub old: &'static str,
    /// What takes its place.
    pub new: &'static str,
}

const MACHINE: &str = "rust/update/src/machine.rs";
const STAGES: &str = "rust/update/src/machine/stages.rs";
const BOOT: &str = "rust/update/src/machine/boot.rs";
const ACT: &str = "rust/client/src/act.rs";

const fn mutation(name: &'static str, file: &'static str, old: &'static str, new: &'static str) -> Mutation {
    Mutation { name, file, old, new }
}

/// All of them.
pub const MUTATIONS: [Mutation; 30] = [
    mutation(
        "a cut between arming and its record undoes the update",
        BOOT,
        "            (Phase::Install | Phase::VerifyReboot, true) if running.new => {",
        "            (Phase::VerifyReboot, true) if running.new => {",
    ),
    mutation(
        "swap armed before the last hash check",
        "rust/artifact/src/reader.rs",
        "self.payload.end(&self.manifest, &self.hash.finish())?;",
        "let _unchecked = self.payload.end(&self.manifest, &self.hash.finish());",
    ),
    mutation(
        "provides written before confirm",
        MACHINE,
        "            Stage::SaveSuccess => c.commit_provides(),",
        "            Stage::SaveCommit => c.commit_provides(),",
    ),
    mutation(
        "CRC unchecked",
        "rust/records/src/lib.rs",
        "if *magic != MAGIC || CRC.checksum(summed) != u32::from_be_bytes(*crc) {",
        "if *magic != MAGIC || CRC.checksum(summed) == 0 && *crc == [1; 4] {",
    ),
    mutation(
        "the newer record is written over, not the older",
        "rust/client/src/context.rs",
        "        let id = self.older;",
        "        let id = other(self.older);",
    ),
    mutation(
        "the older record is taken for the newer",
        "rust/client/src/context.rs",
        "if b > a {",
        "if b < a {",
    ),
    mutation(
        "final status sent twice",
        MACHINE,
        "// The pause is told; whether it was heard does not matter.",
        "Stage::ReportSuccess if core::mem::take(&mut self.fresh) => self.wait(1),",
    ),
    mutation(
        "the end is told again after every restart",
        "rust/client/src/client.rs",
        "Happened::Saved(cx.save(checkpoint))",
        "Happened::Saved(if checkpoint.phase == Phase::Idle { Ok(()) } else { cx.save(checkpoint) })",
    ),
    mutation(
        "a failure is told after an abort",
        MACHINE,
        "            Stage::SaveFailure if c.reason == Some(Error::Aborted) && !self.inconsistent => {\n                self.enter(Stage::Cleanup);\n                return None;\n            }\n",
        "",
    ),
    mutation(
        "an image that was reverted is tried again",
        "rust/client/src/intake.rs",
        "        if !may_try() {",
        "        if !may_try() && size == 0 {",
    ),
    mutation(
        "the older record will do when the newer cannot be read",
        "rust/client/src/client.rs",
        "let unreadable = cx.store_unreadable || ",
        "let unreadable = cx.store_unreadable && self.machine.checkpoint.id.is_empty() || ",
    ),
    mutation(
        "an image that the boot loader refused is taken for one that was reverted",
        BOOT,
        "if running.refused { Error::Refused } else { Error::Reverted }",
        "if running.refused && can_revert { Error::Refused } else { Error::Reverted }",
    ),
    mutation(
        "key made again on a read error",
        "rust/client/src/call.rs",
        "        Err(errno) => return Err((Error::KeyRead, errno)),",
        "        Err(_) => cx.ports.make_device_key().map_err(|errno| (Error::KeyMake, errno))?,",
    ),
    mutation(
        "unconfirmed image never reverted",
        STAGES,
        "SaveRollback: Save(Phase::Rollback), RollbackReboot Rollback,",
        "SaveRollback: Save(Phase::Rollback), Failure Rollback,",
    ),
    mutation(
        "loop counter off",
        BOOT,
        "        if self.checkpoint.reboots > limits::REBOOTS_MAX {\n            return self.give_up(Error::LoopDetected);\n        }",
        "        self.checkpoint.reboots = 0;",
    ),
    mutation(
        "abort ignored after arming",
        MACHINE,
        "            Report::Aborted => self.failed(Error::Aborted),",
        "            Report::Aborted if probe => self.go_on(),\n            Report::Aborted => self.failed(Error::Aborted),",
    ),
    mutation(
        "slot opened during a trial boot",
        ACT,
        "    cx.ports.self_test().map_err",
        "    let _opened = mender_port::Slot::begin(&mut cx.ports, 1);\n    cx.ports.self_test().map_err",
    ),
    mutation(
        "hash taken over a range one byte short",
        "rust/artifact/src/reader.rs",
        "        self.hash.update(taken);",
        "        self.hash.update(taken.get(1..).unwrap_or_default());",
    ),
    mutation(
        "armed before the record that announces it",
        STAGES,
        "SaveInstall: Save(Phase::Install), Arm Install,",
        "SaveInstall: Save(Phase::Download), Arm Install,",
    ),
    mutation(
        "confirmed before the record that announces it",
        STAGES,
        "AskCommit: Say(Action::Ask(Ask::Commit)), SaveCommit SaveCommit,",
        "AskCommit: Say(Action::Ask(Ask::Commit)), Commit Commit,",
    ),
    mutation(
        "success told before it is on record",
        STAGES,
        "ArtifactCommit)), SaveSuccess SaveSuccess,",
        "ArtifactCommit)), ReportSuccess ReportSuccess,",
    ),
    mutation(
        "success told before the image is confirmed",
        STAGES,
        "SaveCommit: Save(Phase::Commit), Commit Commit,",
        "SaveCommit: Save(Phase::Commit), SaveSuccess Commit,",
    ),
    mutation(
        "a report of the end that fails is not repeated",
        MACHINE,
        "            Report::Failed { accepted, retry_after_ms } if last || probe => {",
        "            Report::Failed { accepted, retry_after_ms } if probe => {",
    ),
    mutation(
        "what runs is told by a flag, not by its hash",
        "rust/client/src/client.rs",
        "Ok(trial && hash == c.image_hash)",
        "Ok(trial && !cx.ports.is_confirmed().unwrap_or(true))",
    ),
    mutation(
        "a self-test that fails does not matter",
        ACT,
        "    cx.ports.self_test().map_err(|errno| cx.port_failed(Error::SelfTest, errno))",
        "    let _failed = cx.ports.self_test();\n    Ok(Progress::Done)",
    ),
    mutation(
        "an old image that MCUboot put on trial is not confirmed",
        "rust/client/src/client.rs",
        "if swapped && !running.new",
        "if !swapped && !running.new",
    ),
    mutation(
        "an image is confirmed without its server",
        MACHINE,
        "return self.failed(Error::ServerUnreachable);",
        "return self.go_on();",
    ),
    mutation(
        "a resumed download loses a byte",
        "rust/client/src/download.rs",
        "                self.skip = 0;",
        "                self.skip = 1;",
    ),
    mutation(
        "an expired token is used for ever",
        "rust/client/src/call.rs",
        "            cx.token_len = 0;\n            if core::mem::replace(&mut self.reauthenticated, true) {",
        "            if core::mem::replace(&mut self.reauthenticated, true) {",
    ),
    mutation(
        "a module's failed installation is not undone",
        STAGES,
        "Rollback: Say(Run(ModuleState::ArtifactRollback)), Failure Failure,",
        "Rollback: Say(Run(ModuleState::Cleanup)), Failure Failure,",
    ),
];

/// What became of a mutation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The simulation found it out: the first violation, and its replay.
    Caught(String),
    /// It did not.
    Survived,
    /// It could not be tried.
    Broken(String),
}

/// A longer run of a mutant is one that hangs: it is caught.
const PATIENCE: Duration = Duration::from_secs(600);

/// The workspace this was built in.
#[must_use]
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The text of a mutation's file with the mutation in it.
///
/// # Errors
/// Why not: no such file, or the text is not there exactly once.
pub fn mutated(root: &Path, mutation: &Mutation) -> Result<String, String> {
    let text = fs::read_to_string(root.join(mutation.file)).map_err(|e| format!("{}: {e}", mutation.file))?;
    match text.matches(mutation.old).count() {
        1 => Ok(text.replacen(mutation.old, mutation.new, 1)),
        n => Err(format!(
            "{:?}: its text is {n} times in {}, not once: say in tests/powercut/src/mutations.rs what it is now",
            mutation.name, mutation.file
        )),
    }
}

/// Tries one mutation after the other, of those whose name has this text. `tell` hears of each.
///
/// # Errors
/// The copy of the workspace cannot be made.
pub fn run(name: &str, mut tell: impl FnMut(&Mutation, &Found)) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let built = program.parent().ok_or("no target folder")?;
    let copy = built.with_file_name("powercut-mutations");
    let failed = |e: io::Error| format!("{}: {e}", copy.display());
    mirror(&workspace(), &copy).map_err(failed)?;
    // Cargo takes a crate at the same place of another workspace for the same: the mutants must not share its target folder. What it
    // has built of other people's crates is taken over.
    let target = copy.join("target");
    if !target.exists() {
        for folder in ["deps", "build", ".fingerprint"] {
            mirror_into(&built.join(folder), &target.join(PROFILE).join(folder), true).map_err(failed)?;
        }
    }
    for mutation in MUTATIONS.iter().filter(|mutation| mutation.name.contains(name)) {
        tell(mutation, &attempt(&copy, &target, mutation));
    }
    Ok(())
}

fn attempt(copy: &Path, target: &Path, mutation: &Mutation) -> Found {
    let mutated = match mutated(&workspace(), mutation) {
        Ok(text) => text,
        Err(why) => return Found::Broken(why),
    };
    let file = copy.join(mutation.file);
    let tried = fs::write(&file, mutated)
        .map_err(|e| e.to_string())
        .and_then(|()| build(copy, target))
        .and_then(|()| judge(&target.join(PROFILE).join("powercut")));
    // The next one starts from what it should be.
    let back = fs::copy(workspace().join(mutation.file), &file);
    match (tried, back) {
        (Ok(found), Ok(_)) => found,
        (Err(why), _) => Found::Broken(why),
        (_, Err(e)) => Found::Broken(e.to_string()),
    }
}

/// The profile this is built with, in the workspace's `Cargo.toml`.
const PROFILE: &str = "powercut";

fn build(copy: &Path, target: &Path) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "-q", "--offline", "--profile", PROFILE, "-p", "powercut"]);
    command.current_dir(copy).env("CARGO_TARGET_DIR", target);
    let output = command.output().map_err(|e| e.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

fn judge(program: &Path) -> Result<Found, String> {
    let mut command = Command::new(program);
    command.args(["--fail-fast", "--seeds", "3000"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|e| e.to_string())?;
    let began = Instant::now();
    while child.try_wait().map_err(|e| e.to_string())?.is_none() {
        if began.elapsed() > PATIENCE {
            child.kill().map_err(|e| e.to_string())?;
            return Ok(Found::Caught("it never ends".to_owned()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(Found::Survived);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines().skip_while(|line| !line.starts_with("VIOLATION"));
    let what = lines.next().map_or("it panics", |line| line.trim_start_matches("VIOLATION "));
    let replay = lines.next().and_then(|line| line.split_whitespace().next_back()).unwrap_or_default();
    Ok(Found::Caught(format!("{what} [{replay}]")))
}

/// Copies what is needed to build, files that differ alone: the others need not be built again.
fn mirror(from: &Path, to: &Path) -> io::Result<()> {
    for name in ["Cargo.toml", "Cargo.lock", "clippy.toml", "rust", "tests"] {
        mirror_into(&from.join(name), &to.join(name), false)?;
    }
    Ok(())
}

fn mirror_into(from: &Path, to: &Path, keep_time: bool) -> io::Result<()> {
    if from.is_dir() {
        if from.file_name().is_some_and(|name| name == "target") {
            return Ok(());
        }
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            mirror_into(&entry.path(), &to.join(entry.file_name()), keep_time)?;
        }
        return Ok(());
    }
    let (bytes, modified) = (fs::read(from)?, from.metadata()?.modified()?);
    if fs::read(to).is_ok_and(|have| have == bytes) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    // With its permissions: some of what cargo has built are programs.
    fs::copy(from, to)?;
    // What cargo has built it knows by its time; a source is newer than what was built of the one before.
    let at = if keep_time { modified } else { SystemTime::now() };
    fs::File::options().write(true).open(to)?.set_modified(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutation_finds_its_text_once() {
        for mutation in &MUTATIONS {
            if let Err(why) = mutated(&workspace(), mutation) {
                panic!("{why}");
            }
        }
    }
}
