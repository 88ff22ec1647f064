// SPDX-License-Identifier: Apache-2.0
//! `mender-sigkill`: the power cuts, the histogram, and an exit code.

use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::{Arg, Parser, ValueExt};
use mender_sigkill::{FULL, Moment, QUICK, Report, replay, run};

const HELP: &str = "\
mender-sigkill [--quick] [--seed N] [--verbose]
    Cuts the power of mender-device at some 220 moments of good and bad updates and judges what comes of it.
    Ends with code 1 when anything is wrong.
mender-sigkill --moment LANE/SCENARIO:KIND:NUMBER:HOW [--state DIR]
    Cuts it at this moment again, of a new device or of one with a copy of this state directory.

    --quick      some 20 moments
    --seed N     plans other moments [1]
    --verbose    a line for every moment
";

/// What the command line asks for.
#[derive(Default)]
struct Wanted {
    help: bool,
    quick: bool,
    verbose: bool,
    seed: Option<u64>,
    moment: Option<Moment>,
    state: Option<PathBuf>,
}

fn main() -> ExitCode {
    let report = parse().and_then(|wanted| {
        if wanted.help {
            print!("{HELP}");
            return Ok(None);
        }
        work(&wanted).map(Some)
    });
    match report {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(report)) => {
            print!("{report}");
            ExitCode::from(u8::from(!report.violations().is_empty()))
        }
        Err(why) => {
            eprintln!("mender-sigkill: {why}");
            ExitCode::from(2)
        }
    }
}

fn parse() -> Result<Wanted, String> {
    let mut wanted = Wanted::default();
    let mut parser = Parser::from_env();
    while let Some(arg) = parser.next().map_err(|e| e.to_string())? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => wanted.help = true,
            Arg::Long("quick") => wanted.quick = true,
            Arg::Short('v') | Arg::Long("verbose") => wanted.verbose = true,
            Arg::Long("seed") => {
                let seed = text(&mut parser)?.parse();
                wanted.seed = Some(seed.map_err(|e| format!("--seed: {e}"))?);
            }
            Arg::Long("moment") => {
                let text = text(&mut parser)?;
                let moment =
                    Moment::parse(&text).ok_or_else(|| format!("{text:?} is not a moment; see --help"))?;
                wanted.moment = Some(moment);
            }
            Arg::Long("state") => wanted.state = Some(text(&mut parser)?.into()),
            other => return Err(other.unexpected().to_string()),
        }
    }
    Ok(wanted)
}

fn text(parser: &mut Parser) -> Result<String, String> {
    parser.value().and_then(|value| value.string()).map_err(|e| e.to_string())
}

fn work(wanted: &Wanted) -> Result<Report, String> {
    let report = match wanted.moment {
        Some(moment) => replay(moment, wanted.state.as_deref())?,
        None => run(wanted.seed.unwrap_or(1), if wanted.quick { &QUICK } else { &FULL })?,
    };
    for round in report.rounds().iter().filter(|_| wanted.verbose) {
        let end = round.end.as_deref().unwrap_or("no end");
        println!("{}{} {end}", round.moment, if round.cut { "" } else { " (not reached)" });
    }
    Ok(report)
}
