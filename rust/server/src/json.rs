// SPDX-License-Identifier: Apache-2.0
//! JSON as Go's `encoding/json` writes it, which is what devices get to see.

use serde::Serialize;
use serde_json::Value;

/// JSON text with `&`, `<`, `>` and the two line separators escaped, as Go does by default.
pub(crate) fn encode(value: &impl Serialize) -> String {
    // These values are built here from strings, numbers and string-keyed maps, which always serialise.
    let plain = serde_json::to_string(value).unwrap_or_default();
    escape_html(&plain)
}

/// Outside of strings JSON has none of these characters, so replacing them in the whole text is replacing them in strings.
fn escape_html(plain: &str) -> String {
    let mut text = String::with_capacity(plain.len() + 16);
    for c in plain.chars() {
        match c {
            '&' => text.push_str("\\u0026"),
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            other => text.push(other),
        }
    }
    text
}

/// Identity data in the one form in which the server compares it: keys sorted, no spaces, numbers as 64-bit floats.
/// `None` unless it is a JSON object.
pub(crate) fn canonical_identity(id_data: &str) -> Option<String> {
    let value: Value = serde_json::from_str(id_data).ok()?;
    if !value.is_object() {
        return None;
    }
    let mut text = String::new();
    write_canonical(&value, &mut text);
    Some(text)
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => text.push_str(&encode(value)),
        Value::Number(number) => text.push_str(&go_float(number.as_f64().unwrap_or_default())),
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_canonical(item, text);
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
            text.push('{');
            for (at, (key, member)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&encode(key));
                text.push(':');
                write_canonical(member, text);
            }
            text.push('}');
        }
    }
}

/// A float as Go prints it in JSON: plain digits between 1e-6 and 1e21, an exponent with its sign outside.
fn go_float(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return format!("{number}");
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_data_is_compared_in_one_form() {
        let cases = [
            (
                r#"{"mac":"00:01","b":1,"a":{"z":1,"y":[1,2.50,1e3]}}"#,
                r#"{"a":{"y":[1,2.5,1000],"z":1},"b":1,"mac":"00:01"}"#,
            ),
            (r#" { "b" : "x" , "a" : "<&>" } "#, r#"{"a":"\u003c\u0026\u003e","b":"x"}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            (
                r#"{"n":1e21,"s":1e-7,"o":-0.0,"big":123456789012345680000}"#,
                r#"{"big":123456789012345680000,"n":1e+21,"o":-0,"s":1e-7}"#,
            ),
        ];
        for (input, expected) in cases {
            assert_eq!(canonical_identity(input).as_deref(), Some(expected), "{input}");
        }
        for bad in ["", "[]", "\"mac\"", "null", "1", "{", "{}x"] {
            assert_eq!(canonical_identity(bad), None, "{bad}");
        }
    }

    #[test]
    fn ampersands_in_links_are_escaped_as_go_does() {
        assert_eq!(encode(&"a?b=<1>&c"), r#""a?b=\u003c1\u003e\u0026c""#);
    }
}
