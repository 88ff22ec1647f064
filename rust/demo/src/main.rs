// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask demo`: a local server and a simulated device, v1 → v2 good → v3 bad, over TLS, with two power cuts on the way.
//!
//! The power is cut by SIGKILL: once within the download, once within MCUboot's swap. Exit code 0 only if everything in the
//! closing table happened.

mod device;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use device::Board;
use mender_server::{Config, DeploymentSpec, Server};
use mender_testkit::artifact::Artifact;
use mender_testkit::image::{Behaviour, Image, Version};
use mender_testkit::key::Key;
use mender_testkit::tool::{self, Tool};

const DEVICE_TYPE: &str = "demo-board";
const IMAGE_LEN: usize = 200 * 1024;

/// What happened, as it will be told.
#[derive(Default)]
struct Table(Vec<(bool, String)>);

impl Table {
    fn row(&mut self, happened: bool, what: impl Into<String>) {
        self.0.push((happened, what.into()));
    }

    fn print(&self) -> ExitCode {
        println!("\nWhat happened");
        for (happened, what) in &self.0 {
            println!("  {}  {what}", if *happened { "yes" } else { "NO " });
        }
        let all = !self.0.is_empty() && self.0.iter().all(|(happened, _)| *happened);
        println!("\n{}", if all { "All of it." } else { "Not all of it." });
        if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn main() -> ExitCode {
    let start = Instant::now();
    let mut table = Table::default();
    if let Err(why) = story(&mut table) {
        table.row(false, why);
    }
    let code = table.print();
    println!("({} seconds)", start.elapsed().as_secs());
    code
}

fn story(table: &mut Table) -> Result<(), String> {
    let server = Server::start(Config::https()).map_err(|e| format!("server: {e}"))?;
    let key = Key::generate();
    let board = Board::new(&server.api_url(), server.ca_pem(), &key.public_pem(), DEVICE_TYPE)?;
    say("A Mender server is up, and a board that has never met it.");
    println!("  {}   CA made on the spot, artifacts signed with P-256", server.api_url());

    say("The board is switched on. It makes its key, authenticates, sends its inventory.");
    let mut device = board.switch_on(&[])?;
    device.wait_for("InventorySent")?;
    let known = server.devices().into_iter().next();
    let named = known.is_some_and(|d| d.inventory.get("artifact_name").is_some_and(|v| v == "release-1"));
    table.row(named, "the device authenticated over TLS and sent its inventory");
    drop(device);

    let good = deploy(&server, &key, "release-2", "2.0.0", Behaviour::Fine)?;
    good_update(&server, &board, &good, table)?;
    let bad = deploy(&server, &key, "release-3", "3.0.0", Behaviour::FailsSelfTest)?;
    bad_update(&server, &board, &bad, table)
}

/// Makes an artifact, by the official tool where it is installed, and deploys it.
fn deploy(
    server: &Server,
    key: &Key,
    name: &str,
    version: &str,
    behaviour: Behaviour,
) -> Result<String, String> {
    let version = Version::parse(version).ok_or("bad version")?;
    let image = Image::new(version, behaviour).size(IMAGE_LEN).build();
    let artifact = Artifact::new(name, DEVICE_TYPE).file("zephyr.signed.bin", image).sign(key);
    let (bytes, official) = tool::build(&artifact, Tool::Auto).map_err(|e| format!("artifact: {e}"))?;
    let by = if official { "mender-artifact" } else { "our own writer" };
    say(&format!("{name} is made by {by} ({} KiB, {}) and deployed.", bytes.len() / 1024, behaviour.word()));
    server.upload(bytes).map_err(|e| format!("upload: {e}"))?;
    server.deploy(DeploymentSpec::all(name)).map_err(|e| format!("deploy: {e}"))
}

fn good_update(server: &Server, board: &Board, id: &str, table: &mut Table) -> Result<(), String> {
    let mut device = board.switch_on(&["--halt-at", "program:12"])?;
    device.wait_for("Halted")?;
    device.cut("in mid-download")?;
    table.row(!is_over(server, id), "power was cut in mid-download");

    say("Power is back: the same offer is taken up, verified, and MCUboot is asked for a test swap.");
    let mut device = board.switch_on(&["--halt-at", "swap:40"])?;
    device.wait_for("Downloaded")?;
    table.row(
        device.progress > 1,
        format!("the artifact was downloaded with {} reports of progress", device.progress),
    );
    device.wait_for("SwapRequested")?;
    table.row(true, "signature and all hashes verified before the swap was asked for");
    device.wait_for("Halted")?;
    device.cut("in mid-swap")?;
    table.row(true, "power was cut in mid-swap");

    say("Power is back: MCUboot finishes the swap, the new image is on trial and proves itself.");
    let mut device = board.switch_on(&[])?;
    device.wait_for("OnTrial")?;
    device.wait_for("Confirmed")?;
    device.wait_for("Succeeded")?;
    device.wait_for("InventorySent")?;
    let reports = reports(server, id);
    println!("  the server heard: {}", reports.join(", "));
    table.row(finals(&reports) == ["success"], "the server heard exactly one final status: success");
    let names = server.devices().into_iter().next().map(|d| d.inventory.get("artifact_name").cloned());
    table.row(names.flatten().is_some_and(|n| n == "release-2"), "the inventory says release-2");
    Ok(())
}

fn bad_update(server: &Server, board: &Board, id: &str, table: &mut Table) -> Result<(), String> {
    let mut device = board.switch_on(&[])?;
    device.wait_for("OnTrial")?;
    device.wait_for("DeploymentFailed")?;
    device.wait_for("InventorySent")?;
    say("The bad image failed its self-test, MCUboot swapped back, the failure was reported with its log:");
    let deployment = server.only_device_of(id).ok_or("no such deployment")?;
    for entry in &deployment.log {
        println!("  {} {:<7} {}", entry.timestamp, entry.level, entry.message);
    }
    let reports = reports(server, id);
    println!("  the server heard: {}", reports.join(", "));
    table.row(finals(&reports) == ["failure"], "the server heard exactly one final status: failure");
    let says_why = deployment.log.iter().any(|entry| entry.message.contains("self-test"));
    table.row(says_why, "the deployment log says why");
    drop(device);
    let mut device = board.switch_on(&[])?;
    let started = device.wait_for("Started")?;
    table.row(started.contains("release-2"), "release-2 runs again");
    Ok(())
}

fn reports(server: &Server, id: &str) -> Vec<String> {
    server.only_device_of(id).map_or_else(Vec::new, |d| d.reports.into_iter().map(|r| r.status).collect())
}

fn finals(reports: &[String]) -> Vec<&str> {
    reports.iter().map(String::as_str).filter(|s| matches!(*s, "success" | "failure")).collect()
}

fn is_over(server: &Server, id: &str) -> bool {
    !finals(&reports(server, id)).is_empty()
}

fn say(text: &str) {
    println!("\n{text}");
    // A moment to read it.
    std::thread::sleep(Duration::from_millis(300));
}
