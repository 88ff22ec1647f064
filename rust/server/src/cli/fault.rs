// SPDX-License-Identifier: Apache-2.0
//! `mender-server fault`.

use lexopt::ValueExt as _;
use lexopt::prelude::{Long, Short, Value};
use mender_server::Fault;
use serde_json::Value as Json;

use super::Failure;
use super::ask::{FAULTS, Manager};

const HELP: &str = "\
mender-server fault PATTERN [KNOB=VALUE]...   misbehave from now on
mender-server fault --list                    what is set, and how often each struck
mender-server fault --clear                   behave again

PATTERN is auth, check, report, log, inventory, download, any, or METHOD:PATH with * as wildcard.
Knobs (values are JSON or plain text):
  which exchange    skip=N times=N device=ID body_contains=TEXT
  in time           delay_before_ms=N delay_ms=N drip={\"bytes\":N,\"every_ms\":N}
  no reply          drop_request=CUT drop_reply=CUT      (drop_request: nothing was acted upon)
  another reply     status=N act=true headers={\"Retry-After\":\"5\"} more_headers=[[\"A\",\"b\"]]
                    without_headers=[\"ETag\"] body=TEXT garbage=TEXT   (TEXT may be base64:...)
  another body      truncate=N append=TEXT corrupt=OFFSET endless=true
  another framing   content_length=TEXT chunked=SIZE until_close=true interim=N pad_header=BYTES pad_headers=N
  cut connections   cut_after=BYTES cut_body=BYTES cut=CUT
CUT is fin, reset, close_notify or silence.

  mender-server fault download times=1 cut_body=20000
  mender-server fault report body_contains=success times=2 drop_reply=fin
  mender-server fault PUT:/api/devices/v1/inventory/* status=429 headers='{\"Retry-After\":\"10\"}'
";

pub(crate) fn fault(mut parser: lexopt::Parser) -> Result<(), Failure> {
    let mut server = None;
    let (mut list, mut clear) = (false, false);
    let mut words = Vec::new();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("server") => server = Some(parser.value()?.string()?),
            Long("list") => list = true,
            Long("clear") => clear = true,
            Long("json") => {}
            Long("help") | Short('h') => {
                print!("{HELP}");
                return Ok(());
            }
            Value(word) => words.push(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let manager = Manager::new(server.as_deref())?;
    if list {
        println!("{}", serde_json::to_string_pretty(&manager.get(FAULTS)?)?);
        return Ok(());
    }
    if clear {
        return manager.delete(FAULTS);
    }
    let Some((pattern, knobs)) = words.split_first() else {
        print!("{HELP}");
        return Ok(());
    };
    let mut json = serde_json::to_value(preset(pattern)?)?;
    for knob in knobs {
        let (name, value) = knob.split_once('=').ok_or_else(|| format!("{knob}: not KNOB=VALUE"))?;
        json[name] = knob_value(name, value);
    }
    let made = manager.post(FAULTS, &json)?;
    println!("{}", made["id"]);
    Ok(())
}

/// Texts are taken as they are, so that `body=123` is a text too.
fn knob_value(name: &str, value: &str) -> Json {
    let is_text =
        ["body", "body_contains", "append", "garbage", "content_length", "device", "path", "method"];
    if is_text.contains(&name) {
        return Json::String(value.to_owned());
    }
    serde_json::from_str(value).unwrap_or_else(|_| Json::String(value.to_owned()))
}

fn preset(pattern: &str) -> Result<Fault, Failure> {
    Ok(match pattern {
        "auth" => Fault::auth(),
        "check" => Fault::check(),
        "report" => Fault::report(),
        "log" => Fault::log(),
        "inventory" => Fault::inventory(),
        "download" => Fault::download(),
        "any" => Fault::any(),
        other => {
            let (method, path) = other.split_once(':').ok_or_else(|| format!("{other}: unknown pattern"))?;
            Fault::on(method, path)
        }
    })
}
