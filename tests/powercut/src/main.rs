// SPDX-License-Identifier: Apache-2.0
//! `powercut`: every power cut, every broken connection, many seeds.

use std::process::ExitCode;

use lexopt::prelude::*;
use powercut::mutations::{self, Found, MUTATIONS};
use powercut::plan::NOTATION;
use powercut::run::{Amount, run};
use powercut::story::{MODES, STORIES, find};
use powercut::sweep;

const HELP: &str = "\
powercut [--long] [--seeds N] [--first-seed N] [--fail-fast] [--threads N]
powercut --replay SCENARIO:SEED[:FAULT]...
powercut --mutations
powercut --list

Runs the client in a world of memory, with a power cut at every flash operation, a connection cut at every byte, pairs and random
mixtures of faults, and judges flash and server after each. The exit code is 0 only if nothing was violated.

  --long       every tear on every flash geometry, pairs of cuts in every scenario, every byte in every mode
  --story NAME this scenario alone
  --seeds N    random mixtures (10000; 100000 with --long)
  --first-seed N  ... those from this one on (0)
  --fail-fast  ends at the first violation
  --threads N  how many runs at a time (2)
  --mutations  breaks a copy of the client in one way after the other, and checks that each is found out
  --mutation TEXT ... those whose name has that text
  --replay     one run again, with all that happened in it
  --list       scenarios and faults

";

fn main() -> ExitCode {
    match arguments() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("powercut: {error}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

fn arguments() -> Result<ExitCode, lexopt::Error> {
    let mut amount =
        Amount { long: false, seeds: 0, first_seed: 0, fail_fast: false, threads: 2, story: None };
    let mut seeds = None;
    let mut mutate = None;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("long") => amount.long = true,
            Long("fail-fast") => amount.fail_fast = true,
            Long("seeds") => seeds = Some(parser.value()?.parse()?),
            Long("first-seed") => amount.first_seed = parser.value()?.parse()?,
            Long("story") => {
                let name = parser.value()?.string()?;
                amount.story = Some(find(&name).ok_or(format!("{name:?} is no scenario; see --list"))?);
            }
            Long("threads") => amount.threads = parser.value()?.parse()?,
            Long("mutations") => mutate = Some(String::new()),
            Long("mutation") => mutate = Some(parser.value()?.string()?),
            Long("replay") => return Ok(replay(&parser.value()?.string()?)),
            Long("list") => {
                list();
                return Ok(ExitCode::SUCCESS);
            }
            Long("help") | Short('h') => {
                print!("{HELP}{NOTATION}");
                return Ok(ExitCode::SUCCESS);
            }
            other => return Err(other.unexpected()),
        }
    }
    if let Some(name) = mutate {
        return Ok(mutations(&name));
    }
    amount.seeds = seeds.unwrap_or(if amount.long { 100_000 } else { 10_000 });
    let outcome = run(&amount);
    print!("{outcome}");
    Ok(if outcome.all.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn mutations(name: &str) -> ExitCode {
    let (mut caught, mut tried) = (0, 0);
    let ran = mutations::run(name, |mutation, found| {
        let (word, what) = match found {
            Found::Caught(how) => ("caught", how.as_str()),
            Found::Survived => ("SURVIVED", ""),
            Found::Broken(why) => ("NOT TRIED", why.as_str()),
        };
        println!("{:<52} {word:<9} {what}", mutation.name);
        tried += 1;
        caught += usize::from(word == "caught");
    });
    if let Err(error) = ran {
        eprintln!("powercut: {error}");
        return ExitCode::from(2);
    }
    println!("{caught} mutations caught of {tried} tried, {} in all", MUTATIONS.len());
    // Not just all that were tried: one that was left out would never be missed.
    let wanted = MUTATIONS.iter().filter(|mutation| mutation.name.contains(name)).count();
    if caught == wanted && wanted > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(text: &str) -> ExitCode {
    match sweep::replay(text) {
        Ok(replay) => {
            println!("{}\nfaults struck {} times", replay.story, replay.struck);
            match replay.wrong {
                None => {
                    println!("nothing was violated");
                    ExitCode::SUCCESS
                }
                Some(wrong) => {
                    println!("VIOLATION {wrong}");
                    ExitCode::FAILURE
                }
            }
        }
        Err(error) => {
            eprintln!("powercut: {error}");
            ExitCode::from(2)
        }
    }
}

fn list() {
    println!("scenarios, as STORY/MODE/PAGExGRANULE, such as good/scratch/1024x8:");
    let names: Vec<&str> = STORIES.iter().map(|story| story.name).collect();
    println!("  STORY    {}", names.join(" "));
    let modes: Vec<&str> = MODES.iter().map(|(word, _)| *word).collect();
    println!("  MODE     {}", modes.join(" "));
    println!("  PAGE     1024 2048 4096 8192 bytes, GRANULE 1 to 32\n\n{NOTATION}");
}
