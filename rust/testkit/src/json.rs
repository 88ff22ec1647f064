// SPDX-License-Identifier: Apache-2.0
//! JSON text as Go's `encoding/json` writes it: minified, keys sorted, `<`, `>` and `&` escaped.

use serde_json::Value;

/// A JSON string with its quotes.
pub fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\x1f' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A JSON array of strings.
pub fn strings(texts: &[String]) -> String {
    join('[', texts.iter().map(|text| string(text)), ']')
}

/// A JSON object from members that are JSON text already, in the order given.
pub fn object<'a>(members: impl IntoIterator<Item = (&'a str, String)>) -> String {
    join('{', members.into_iter().map(|(key, value)| format!("{}:{value}", string(key))), '}')
}

/// Any value, the way Go prints it after reading it into `interface{}` (all numbers are 64-bit floats there).
pub fn minify(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => float(number.as_f64().unwrap_or_default()),
        Value::String(text) => string(text),
        Value::Array(values) => join('[', values.iter().map(minify), ']'),
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by_key(|(key, _)| key.as_str());
            object(members.into_iter().map(|(key, value)| (key.as_str(), minify(value))))
        }
    }
}

fn join(open: char, items: impl Iterator<Item = String>, close: char) -> String {
    format!("{open}{}{close}", items.collect::<Vec<_>>().join(","))
}

fn float(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    if text.contains("e-") { text } else { text.replace('e', "e+") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_printed_as_go_prints_them() {
        let text = r#"{"b": [1, 2.50, 1e21, 1e-7, 3.0, true, null], "a": "<\u0001\n\u2028é>", "é": {}}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            minify(&value),
            r#"{"a":"\u003c\u0001\n\u2028é\u003e","b":[1,2.5,1e+21,1e-7,3,true,null],"é":{}}"#
        );
    }
}
