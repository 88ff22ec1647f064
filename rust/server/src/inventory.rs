// SPDX-License-Identifier: Apache-2.0
//! The inventory a device sends.
//!
//! Source: Mender device API, device inventory.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::http::{Request, Response};
use crate::stamp;
use crate::state::Shared;

/// Longest name of an attribute, bytes.
const NAME_MAX: usize = 1024;

#[derive(Deserialize)]
struct Attribute {
    #[serde(default)]
    name: String,
    #[serde(default)]
    value: Value,
    #[serde(default)]
    #[expect(dead_code, reason = "read for its type: anything but a string is refused")]
    description: Option<String>,
}

/// `PUT` (replace all) or `PATCH` (add and replace) of `/api/devices/v1/inventory/device/attributes`.
pub(crate) fn store(shared: &Shared, request: &Request, device: &str) -> Response {
    let refuse = |text: &str| Response::error(400, text, &request.id);
    let attributes: Vec<Attribute> = match serde_json::from_slice(&request.body) {
        Ok(attributes) => attributes,
        Err(error) => return refuse(&format!("failed to decode request body: {error}")),
    };
    for attribute in &attributes {
        if attribute.name.is_empty() || attribute.name.len() > NAME_MAX {
            return refuse("name: the length must be between 1 and 1024.");
        }
        if !is_supported(&attribute.value) {
            return refuse("value: supported types are string, float64, and arrays thereof.");
        }
    }
    let limit = shared.config.inventory_limit;
    let replace = request.method == "PUT";
    shared.change(|state| {
        let Some(device) = state.devices.get_mut(device) else { return refuse("no such device") };
        let mut new = if replace { BTreeMap::new() } else { device.inventory.clone() };
        let in_request = attributes.len();
        new.extend(attributes.into_iter().map(|attribute| (attribute.name, attribute.value)));
        if new.len() > limit || (replace && in_request > limit) {
            return refuse("too many attributes");
        }
        device.inventory = new;
        device.inventory_updates += 1;
        device.inventory_at = Some(stamp::now());
        Response::empty(200)
    })
}

/// A string, a number, or an array of only one of the two.
fn is_supported(value: &Value) -> bool {
    match value {
        Value::String(_) | Value::Number(_) => true,
        Value::Array(items) => items.iter().all(Value::is_string) || items.iter().all(Value::is_number),
        Value::Null | Value::Bool(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strings_numbers_and_arrays_of_one_kind_are_values() {
        for (json, supported) in [
            (r#""a""#, true),
            ("1.5", true),
            ("[]", true),
            (r#"["a","b"]"#, true),
            ("[1,2.5]", true),
            (r#"["a",1]"#, false),
            ("true", false),
            ("null", false),
            ("{}", false),
            ("[[]]", false),
            ("[true]", false),
        ] {
            assert_eq!(is_supported(&serde_json::from_str(json).unwrap()), supported, "{json}");
        }
    }
}
