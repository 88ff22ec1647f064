// SPDX-License-Identifier: Apache-2.0
//! The server's JSON as text for people.

use serde_json::Value;

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn strings(value: &Value) -> String {
    items(value).filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

/// For lists that are only ever printed as JSON.
pub(crate) fn none(_: &Value) -> String {
    String::new()
}

pub(crate) fn artifacts(list: &Value) -> String {
    let line = |artifact: &Value| {
        let (name, types) = (text(artifact, "name"), strings(&artifact["device_types"]));
        let signed = if artifact["signed"] == true { ", signed" } else { "" };
        format!("{name}  for {types}  {} bytes{signed}  {}\n", artifact["size"], text(artifact, "id"))
    };
    items(list).map(line).collect()
}

pub(crate) fn devices(list: &Value, deployments: &Value) -> String {
    let mut out = String::new();
    for device in items(list) {
        let id = text(device, "id");
        out.push_str(&format!("{id}  {}  {}\n", text(device, "status"), text(device, "identity")));
        let tiers: Vec<&str> = items(&device["auth_sets"]).map(|set| text(set, "tier")).collect();
        let seen = device["last_seen"].as_str().unwrap_or("never");
        out.push_str(&format!("  tier {}, last seen {seen}\n", tiers.join(", ")));
        for (name, value) in device["inventory"].as_object().into_iter().flatten() {
            out.push_str(&format!("  {name} = {value}\n"));
        }
        for deployment in items(deployments) {
            let on_device = &deployment["devices"][id];
            if on_device.is_object() {
                let name = text(&deployment["spec"], "artifact_name");
                out.push_str(&format!("  deployment {}  {name}\n", text(deployment, "id")));
                out.push_str(&history(on_device, "    "));
            }
        }
    }
    out
}

pub(crate) fn deployments(list: &Value) -> String {
    let mut out = String::new();
    for deployment in items(list) {
        let state = if deployment["finished"] == true { "finished" } else { "active" };
        let name = text(&deployment["spec"], "artifact_name");
        out.push_str(&format!(
            "{}  {name}  {state}  {}\n",
            text(deployment, "id"),
            text(deployment, "created")
        ));
        for (id, on_device) in deployment["devices"].as_object().into_iter().flatten() {
            out.push_str(&format!("  {id}  {}\n", text(on_device, "status")));
            out.push_str(&history(on_device, "    "));
        }
    }
    out
}

/// The reports of a device, one line each.
fn history(on_device: &Value, indent: &str) -> String {
    let mut out = String::new();
    for report in items(&on_device["reports"]) {
        let substate = report["substate"].as_str().map(|text| format!(" ({text})")).unwrap_or_default();
        let refused = if report["reply"] == 204 { "" } else { "  refused: aborted" };
        out.push_str(&format!(
            "{indent}{}  {}{substate}{refused}\n",
            text(report, "at"),
            text(report, "status")
        ));
    }
    let lines = items(&on_device["log"]).count();
    if lines > 0 {
        out.push_str(&format!("{indent}log: {lines} lines\n"));
    }
    out
}

pub(crate) fn requests(list: &Value) -> String {
    items(list).map(|record| request(record) + "\n").collect()
}

/// One request in one line.
pub(crate) fn request(record: &Value) -> String {
    let time = text(record, "at").get(11..23).unwrap_or_default();
    let target = text(record, "target").split('?').next().unwrap_or_default();
    let mut line = format!("{time} {} {} {target}", record["status"], text(record, "method"));
    line.push_str(&format!(" in={} out={}", record["body_bytes"], record["reply_bytes"]));
    if let Some(device) = record["device"].as_str() {
        line.push_str(&format!(" device={}", device.get(..8).unwrap_or(device)));
    }
    if let Some(error) = record["error"].as_str() {
        line.push_str(&format!(" ({error})"));
    }
    if record["fault"] == true {
        line.push_str(" FAULT");
    }
    line
}

pub(crate) fn connections(counts: &Value) -> String {
    let mut out = String::new();
    for (origin, count) in counts.as_object().into_iter().flatten() {
        let (accepted, open) = (&count["accepted"], &count["open"]);
        let (tls, failed) = (&count["tls"], &count["tls_failed"]);
        out.push_str(&format!(
            "{origin}: {accepted} accepted, {open} open, TLS {tls} done, {failed} failed\n"
        ));
    }
    out
}
