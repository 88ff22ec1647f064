// SPDX-License-Identifier: Apache-2.0
//! Commands and their arguments.

mod ask;
mod fault;
mod run;
mod show;

use std::fs;
use std::path::PathBuf;

use lexopt::prelude::{Long, Short, Value};
use lexopt::{Arg, ValueExt as _};
use serde_json::json;

use ask::Manager;

/// Anything that ends a command with a message.
pub(crate) type Failure = Box<dyn std::error::Error>;

const HELP: &str = "\
mender-server: a local Mender server for development and tests

  mender-server run [OPTIONS]              serve; see `mender-server run --help`
  mender-server upload FILE                add an artifact; for one whose header cannot be read here:
                                           --name NAME --device-type TYPE (repeatable)
  mender-server artifacts                  list artifacts
  mender-server devices                    list devices with status, inventory and history
  mender-server accept DEVICE              let a device in (also: reject, decommission)
  mender-server preauthorize --identity JSON --pubkey FILE [--tier TIER]
  mender-server deploy --artifact NAME [--device DEVICE]... [--force] [--name NAME]
  mender-server deployments                list deployments with each device's reports
  mender-server abort DEPLOYMENT
  mender-server log DEPLOYMENT DEVICE      print the log a device uploaded
  mender-server requests [--device DEVICE] list what came in
  mender-server connections                count connections and TLS handshakes
  mender-server fault PATTERN [KNOB=VALUE]...   misbehave; see `mender-server fault --help`
  mender-server expire tokens|links        make what was handed out so far expired
  mender-server certificate KIND           show another certificate: good, expired, not_yet_valid, wrong_host,
                                           unknown_ca, self_signed
  mender-server ca                         print the CA's certificate (PEM)

DEVICE is a device's id, the beginning of it, or a value of its identity such as its MAC.
Options of every command but `run`:
  --server URL   management API of the server [default: $MENDER_SERVER_URL or http://127.0.0.1:8090]
  --json         print the server's JSON as it is
";

/// Arguments of a command that asks a running server.
#[derive(Default)]
struct Arguments {
    server: Option<String>,
    json: bool,
    force: bool,
    name: Option<String>,
    artifact: Option<String>,
    identity: Option<String>,
    pubkey: Option<PathBuf>,
    tier: Option<String>,
    devices: Vec<String>,
    device_types: Vec<String>,
    rest: Vec<String>,
}

pub(crate) fn main() -> Result<(), Failure> {
    let mut parser = lexopt::Parser::from_env();
    let Some(first) = parser.next()? else {
        print!("{HELP}");
        return Ok(());
    };
    match first {
        Value(command) if command == "run" => run::run(parser),
        Value(command) if command == "fault" => fault::fault(parser),
        Value(command) => ask(&command.string()?, &arguments(parser)?),
        Long("help") | Short('h') => {
            print!("{HELP}");
            Ok(())
        }
        Long("version") => {
            println!("mender-server {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        other => Err(other.unexpected().into()),
    }
}

fn arguments(mut parser: lexopt::Parser) -> Result<Arguments, Failure> {
    let mut arguments = Arguments::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("server") => arguments.server = Some(parser.value()?.string()?),
            Long("json") => arguments.json = true,
            Long("force") => arguments.force = true,
            Long("name") => arguments.name = Some(parser.value()?.string()?),
            Long("artifact") => arguments.artifact = Some(parser.value()?.string()?),
            Long("identity") => arguments.identity = Some(parser.value()?.string()?),
            Long("pubkey") => arguments.pubkey = Some(parser.value()?.into()),
            Long("tier") => arguments.tier = Some(parser.value()?.string()?),
            Long("device") => arguments.devices.push(parser.value()?.string()?),
            Long("device-type") => arguments.device_types.push(parser.value()?.string()?),
            Long("help") | Short('h') => {
                print!("{HELP}");
                std::process::exit(0);
            }
            Value(value) => arguments.rest.push(value.string()?),
            other => return Err(Arg::unexpected(other).into()),
        }
    }
    Ok(arguments)
}

/// Prints what the server answered: its JSON, or the text made of it.
fn print_list(
    arguments: &Arguments,
    manager: &Manager,
    path: &str,
    text: fn(&serde_json::Value) -> String,
) -> Result<(), Failure> {
    let list = manager.get(path)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&list)?);
    } else {
        print!("{}", text(&list));
    }
    Ok(())
}

fn ask(command: &str, arguments: &Arguments) -> Result<(), Failure> {
    let manager = Manager::new(arguments.server.as_deref())?;
    let rest: Vec<&str> = arguments.rest.iter().map(String::as_str).collect();
    match (command, rest.as_slice()) {
        ("upload", [file]) => upload(&manager, arguments, file),
        ("artifacts", []) => print_list(arguments, &manager, ask::ARTIFACTS, show::artifacts),
        ("devices", []) if arguments.json => print_list(arguments, &manager, ask::DEVICES, show::none),
        ("devices", []) => {
            print!("{}", show::devices(&manager.get(ask::DEVICES)?, &manager.get(ask::DEPLOYMENTS)?));
            Ok(())
        }
        ("accept" | "reject", [device]) => {
            let status = if command == "accept" { "accepted" } else { "rejected" };
            manager.put(&ask::path(ask::DEVICES, &[device, "status"]), &json!({"status": status}))
        }
        ("decommission", [device]) => manager.delete(&ask::path(ask::DEVICES, &[device])),
        ("preauthorize", []) => preauthorize(&manager, arguments),
        ("deploy", []) => deploy(&manager, arguments),
        ("deployments", []) => print_list(arguments, &manager, ask::DEPLOYMENTS, show::deployments),
        ("abort", [deployment]) => {
            manager.put(&ask::path(ask::DEPLOYMENTS, &[deployment, "status"]), &json!({"status": "aborted"}))
        }
        ("log", [deployment, device]) => {
            print!(
                "{}",
                manager.text(&ask::path(ask::DEPLOYMENTS, &[deployment, "devices", device, "log"]))?
            );
            Ok(())
        }
        ("requests", []) => {
            let query = arguments.devices.first().map(|device| ask::query("device", device));
            let path = format!("{}{}", ask::REQUESTS, query.unwrap_or_default());
            print_list(arguments, &manager, &path, show::requests)
        }
        ("connections", []) => print_list(arguments, &manager, ask::CONNECTIONS, show::connections),
        ("expire", [what @ ("tokens" | "links")]) => {
            manager.post(&format!("/api/local/{what}/expire"), &json!({})).map(drop)
        }
        ("certificate", [kind]) => manager.put("/api/local/certificate", &json!(kind)),
        ("ca", []) => {
            print!("{}", manager.text("/api/local/ca")?);
            Ok(())
        }
        _ => Err(format!("{command}: unknown command or arguments, see `mender-server --help`").into()),
    }
}

fn upload(manager: &Manager, arguments: &Arguments, file: &str) -> Result<(), Failure> {
    let bytes = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    let query = match &arguments.name {
        Some(name) => {
            let types = ask::query("device_types", &arguments.device_types.join(","));
            format!("{}&{}", ask::query("name", name), types.trim_start_matches('?'))
        }
        None => String::new(),
    };
    let artifact = manager.upload(&format!("{}{query}", ask::ARTIFACTS), &bytes)?;
    if arguments.json {
        println!("{artifact}");
    } else {
        print!("{}", show::artifacts(&json!([artifact])));
    }
    Ok(())
}

fn preauthorize(manager: &Manager, arguments: &Arguments) -> Result<(), Failure> {
    let identity = arguments.identity.as_ref().ok_or("preauthorize: --identity JSON is missing")?;
    let file = arguments.pubkey.as_ref().ok_or("preauthorize: --pubkey FILE is missing")?;
    let pubkey = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let tier = arguments.tier.as_deref().unwrap_or("standard");
    let made =
        manager.post(ask::DEVICES, &json!({"identity_data": identity, "pubkey": pubkey, "tier": tier}))?;
    print_id(arguments, &made);
    Ok(())
}

fn deploy(manager: &Manager, arguments: &Arguments) -> Result<(), Failure> {
    let artifact = arguments.artifact.as_ref().ok_or("deploy: --artifact NAME is missing")?;
    let spec = json!({
        "name": arguments.name.as_deref().unwrap_or_default(),
        "artifact_name": artifact,
        "devices": arguments.devices,
        "force_installation": arguments.force,
    });
    let made = manager.post(ask::DEPLOYMENTS, &spec)?;
    print_id(arguments, &made);
    Ok(())
}

fn print_id(arguments: &Arguments, made: &serde_json::Value) {
    if arguments.json {
        println!("{made}");
    } else {
        println!("{}", made["id"].as_str().unwrap_or_default());
    }
}
