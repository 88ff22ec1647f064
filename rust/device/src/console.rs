// SPDX-License-Identifier: Apache-2.0
//! Standard output, shared by the log and the progress bar of a download.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;

const BAR: usize = 30;

/// Log lines go to standard output; on a terminal a bar may stand below them. Clones share it.
#[derive(Clone)]
pub(crate) struct Console(Rc<RefCell<State>>);

struct State {
    terminal: bool,
    machines: bool,
    bar: String,
}

impl Console {
    /// The bar is left out where standard output is not a terminal; `machines` get JSON lines.
    pub(crate) fn new(machines: bool) -> Self {
        let terminal = !machines && io::stdout().is_terminal();
        Self(Rc::new(RefCell::new(State { terminal, machines, bar: String::new() })))
    }

    /// Shows how far a download is; `total` 0 is unknown.
    pub(crate) fn progress(&self, received: u32, total: u32) {
        let mut state = self.0.borrow_mut();
        if state.machines {
            let line = serde_json::json!({ "event": "Progress", "received": received, "total": total });
            let told = writeln!(io::stdout(), "{line}").and_then(|()| io::stdout().flush());
            drop(told);
        }
        if !state.terminal {
            return;
        }
        state.bar = if total != 0 && received >= total { String::new() } else { bar(received, total) };
        let shown = write!(io::stdout(), "\r\x1b[K{}", state.bar).and_then(|()| io::stdout().flush());
        drop(shown);
    }

    /// Takes the bar away: the download is over, one way or the other.
    pub(crate) fn clear(&self) {
        if !std::mem::take(&mut self.0.borrow_mut().bar).is_empty() {
            let cleared = write!(io::stdout(), "\r\x1b[K").and_then(|()| io::stdout().flush());
            drop(cleared);
        }
    }
}

impl Write for Console {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let state = self.0.borrow();
        let mut out = io::stdout().lock();
        if !state.bar.is_empty() {
            out.write_all(b"\r\x1b[K")?;
        }
        out.write_all(buf)?;
        if buf.ends_with(b"\n") {
            out.write_all(state.bar.as_bytes())?;
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

fn bar(received: u32, total: u32) -> String {
    let kib = received / 1024;
    match u64::from(received) * BAR as u64 / u64::from(total.max(1)) {
        _ if total == 0 => format!("  {kib} KiB"),
        done => {
            let done = (done as usize).min(BAR);
            let percent = u64::from(received) * 100 / u64::from(total);
            format!(
                "  [{}{}] {percent:>3} %  {kib} of {} KiB",
                "#".repeat(done),
                ".".repeat(BAR - done),
                total / 1024
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_what_was_received() {
        assert_eq!(bar(0, 2048), "  [..............................]   0 %  0 of 2 KiB");
        assert_eq!(bar(1024, 2048), "  [###############...............]  50 %  1 of 2 KiB");
        assert_eq!(
            bar(u32::MAX, u32::MAX),
            "  [##############################] 100 %  4194303 of 4194303 KiB"
        );
        assert_eq!(bar(2048, 0), "  2 KiB");
    }
}
