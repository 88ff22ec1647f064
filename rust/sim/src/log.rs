// SPDX-License-Identifier: Apache-2.0
//! Log sinks: one line per event, for people or as JSON for machines.

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;

use mender_base::event::{Event, Level, render};
use serde_json::json;

/// Where log events go.
pub trait Sink {
    /// An event of the client, at milliseconds since boot.
    fn event(&mut self, now_ms: u64, event: Event, a: i64, b: i64, text: &str);

    /// Something the client does not know of: power, MCUboot, the model itself. `what` is a word without spaces.
    fn note(&mut self, now_ms: u64, what: &str, text: &str);
}

/// The text of an event.
#[must_use]
pub fn text_of(event: Event, a: i64, b: i64, text: &str) -> String {
    let mut line = String::new();
    render(event, a, b, text, &mut |piece| line.push_str(piece));
    line
}

/// Writes one line per event.
pub struct Lines<W> {
    out: W,
    json: bool,
    level: Level,
}

impl<W: Write> Lines<W> {
    /// Lines up to `level`, as text or as JSON objects.
    pub fn new(out: W, json: bool, level: Level) -> Self {
        Self { out, json, level }
    }

    fn line(&mut self, text: &str) {
        // A log that cannot be written must not stop the device.
        let written = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
        drop(written);
    }
}

impl<W: Write> Sink for Lines<W> {
    fn event(&mut self, now_ms: u64, event: Event, a: i64, b: i64, text: &str) {
        if event.level() > self.level {
            return;
        }
        let message = text_of(event, a, b, text);
        let line = if self.json {
            json!({
                "ms": now_ms, "level": event.level().name(), "event": event.name(), "number": event.number(),
                "a": a, "b": b, "text": text, "message": message,
            })
            .to_string()
        } else {
            format!("{} {:<7} {}", stamp(now_ms), event.level().name(), one_line(&message))
        };
        self.line(&line);
    }

    fn note(&mut self, now_ms: u64, what: &str, text: &str) {
        let line = if self.json {
            json!({ "ms": now_ms, "level": "INFO", "event": what, "message": text }).to_string()
        } else {
            format!("{} {:<7} {what}: {}", stamp(now_ms), "DEVICE", one_line(text))
        };
        self.line(&line);
    }
}

fn stamp(now_ms: u64) -> String {
    format!("{:>6}.{:03}", now_ms / 1000, now_ms % 1000)
}

/// Text from a server must not make lines of its own, nor move the cursor.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Keeps the lines in memory; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Memory(Rc<RefCell<Vec<String>>>);

impl Memory {
    /// All lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

impl Sink for Memory {
    fn event(&mut self, now_ms: u64, event: Event, a: i64, b: i64, text: &str) {
        self.0.borrow_mut().push(format!("{now_ms} {}", text_of(event, a, b, text)));
    }

    fn note(&mut self, now_ms: u64, what: &str, text: &str) {
        self.0.borrow_mut().push(format!("{now_ms} {what}: {text}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(json: bool, level: Level) -> String {
        let mut out = Vec::new();
        let mut sink = Lines::new(&mut out, json, level);
        sink.event(1234, Event::Started, 0, 0, "release\n\"1\"");
        sink.note(1, "power", "on");
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_event_is_one_line_whatever_text_it_carries() {
        let text = lines(false, Level::Info);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.starts_with("     1.234 INFO"), "{text}");
        assert!(text.ends_with("DEVICE  power: on\n"), "{text}");
    }

    #[test]
    fn json_lines_are_json() {
        for line in lines(true, Level::Info).lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(value["ms"].is_u64() && value["message"].is_string(), "{line}");
        }
    }

    #[test]
    fn events_over_the_level_are_left_out() {
        assert_eq!(lines(false, Level::Error).lines().count(), 1, "the note stays");
    }
}
