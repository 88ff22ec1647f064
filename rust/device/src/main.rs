// SPDX-License-Identifier: Apache-2.0
//! `mender-device`: a simulated device that updates itself, by the same client and loop that run on Zephyr.
//!
//! Its flash is a file; killing the process is a power cut, starting it again is power coming back. `mender-device --help` says what
//! can be set.

mod boot;
mod console;
mod halt;
mod help;
mod inspect;
mod settings;
mod state_dir;

use std::process::ExitCode;

use settings::{Command, Settings};

/// The artifact would be refused.
const EXIT_REFUSED: u8 = 1;
/// A setting is wrong, or the state directory cannot be used.
const EXIT_SETTINGS: u8 = 2;
/// MCUboot finds no bootable image.
const EXIT_BRICK: u8 = 3;
/// The device restarts: whoever started the process starts it again.
const EXIT_REBOOT: u8 = 85;

fn main() -> ExitCode {
    let command = settings::parse(std::env::args_os(), |name| std::env::var(name).ok());
    let result = match command {
        Ok(Command::Help) => {
            print!("{}", help::text());
            Ok(ExitCode::SUCCESS)
        }
        Ok(Command::InspectHelp) => {
            print!("{}", help::INSPECT);
            Ok(ExitCode::SUCCESS)
        }
        Ok(Command::Version) => {
            println!("mender-device {}", mender_client::VERSION);
            Ok(ExitCode::SUCCESS)
        }
        Ok(Command::Inspect(what)) => inspect::run(&what)
            .map(|accepted| if accepted { ExitCode::SUCCESS } else { ExitCode::from(EXIT_REFUSED) }),
        Ok(Command::Run(settings)) => run(&settings),
        Err(why) => Err(why),
    };
    result.unwrap_or_else(|why| {
        eprintln!("mender-device: {why}");
        ExitCode::from(EXIT_SETTINGS)
    })
}

fn run(settings: &Settings) -> Result<ExitCode, String> {
    let end = boot::power_on(settings)?;
    Ok(ExitCode::from(match end {
        boot::End::Reboot => EXIT_REBOOT,
        boot::End::Brick => EXIT_BRICK,
    }))
}
